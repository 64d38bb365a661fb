"""Which function takes which request, answer or notice.

An answer that is not awaited any more is nobody's: the request was given up, or the role has changed since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.metadata.raft import elections, following, leading, transitions, voter_changes
from klamm.metadata.raft import messages as m
from klamm.metadata.raft.exchange import (
    Failed,
    LogStartMoved,
    Reply,
    Request,
    Response,
    Shutdown,
    SnapshotLoaded,
    SnapshotTaken,
    UpgradeKRaftVersion,
)
from klamm.metadata.raft.roles import Prospective

if TYPE_CHECKING:
    from klamm.metadata.raft.core import Raft
    from klamm.metadata.raft.exchange import Input


def handle(raft: Raft, event: Input, now_ms: float) -> None:
    """Take one input of those that a quorum of one seldom sees."""
    if isinstance(event, Request):
        _request(raft, event, now_ms)
    elif isinstance(event, Response):
        source = raft.connections.source_of(event.request_id)
        if source is not None:
            is_success = _response(raft, source.node_id, event, now_ms)
            raft.connections.finish(event.request_id, is_success, now_ms)
    elif isinstance(event, Failed):
        _failed(raft, event, now_ms)
    elif isinstance(event, SnapshotLoaded):
        following.snapshot_loaded(raft, event, now_ms)
    elif isinstance(event, SnapshotTaken):
        raft.log.snapshots[event.snapshot_id] = event.size_bytes
        raft.history.forget_before(event.snapshot_id.offset)
    elif isinstance(event, LogStartMoved):
        raft.log.move_start(event.offset)
    elif isinstance(event, UpgradeKRaftVersion):
        voter_changes.upgrade(raft, event)
    elif isinstance(event, Shutdown):
        raft.is_shutting_down = True


def _request(raft: Raft, event: Request, now_ms: float) -> None:
    message, listener_name = event.message, event.listener_name
    answer: m.RaftResponse | None
    if isinstance(message, m.FetchRequest):
        answer = leading.fetch(raft, event.request_id, message, listener_name, now_ms)
    elif isinstance(message, m.VoteRequest):
        answer = elections.vote(raft, message, listener_name, now_ms)
    elif isinstance(message, m.BeginQuorumEpochRequest):
        answer = elections.begin_quorum_epoch(raft, message, listener_name, now_ms)
    elif isinstance(message, m.EndQuorumEpochRequest):
        answer = elections.end_quorum_epoch(raft, message, listener_name, now_ms)
    elif isinstance(message, m.FetchSnapshotRequest):
        answer = leading.fetch_snapshot(raft, message, listener_name, now_ms)
    elif isinstance(message, m.AddRaftVoterRequest):
        answer = voter_changes.add(raft, event.request_id, message, now_ms)
    elif isinstance(message, m.RemoveRaftVoterRequest):
        answer = voter_changes.remove(raft, event.request_id, message, now_ms)
    elif isinstance(message, m.UpdateRaftVoterRequest):
        answer = voter_changes.update(raft, message, listener_name, now_ms)
    else:
        raise TypeError(f"{type(message).__name__} is not for the quorum")
    if answer is not None:
        raft.effects.append(Reply(event.request_id, answer))


def _response(raft: Raft, source_id: int, event: Response, now_ms: float) -> bool:
    """Whether the answer was one: false leaves the node alone for the retry backoff."""
    message = event.message
    if isinstance(message, m.FetchResponse):
        return following.fetched(raft, message, now_ms)
    if isinstance(message, m.VoteResponse):
        return elections.vote_answered(raft, source_id, message, now_ms)
    if isinstance(message, m.BeginQuorumEpochResponse):
        handled = transitions.take_hint(raft, message.error_code, message.leader, now_ms)
        return message.error_code == errors.NONE if handled is None else handled
    if isinstance(message, m.EndQuorumEpochResponse):
        return elections.end_answered(raft, source_id, message, now_ms)
    if isinstance(message, m.FetchSnapshotResponse):
        return following.snapshot_fetched(raft, message, now_ms)
    if isinstance(message, m.UpdateRaftVoterResponse):
        return following.voter_updated(raft, message, now_ms)
    if isinstance(message, m.ApiVersionsResponse):
        return voter_changes.versions_known(raft, source_id, message, now_ms)
    return following.membership_answered(raft, message, now_ms)


def _failed(raft: Raft, event: Failed, now_ms: float) -> None:
    source = raft.connections.source_of(event.request_id)
    if source is None:
        return
    if event.error_code == errors.UNSUPPORTED_VERSION and isinstance(raft.state, Prospective):
        # A voter from before KIP-996 cannot be asked first: stand at once, as Kafka does.
        transitions.become_candidate(raft, now_ms)
        return
    voter_changes.versions_failed(raft, source.node_id, event.error_code)
    raft.connections.finish(event.request_id, False, now_ms)
