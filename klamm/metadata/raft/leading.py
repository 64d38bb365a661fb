"""What a leader does for others: answers Fetch and FetchSnapshot, makes itself known, and resigns when nobody listens.

A fetch at an offset says that everything below is on that replica's disk. It waits for records or for the high
watermark, and is answered with an error when this replica leads no more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from klamm.kproto import errors
from klamm.metadata.raft import transitions, voter_changes
from klamm.metadata.raft.core import RaftError
from klamm.metadata.raft.exchange import Reply
from klamm.metadata.raft.leader import Leader
from klamm.metadata.raft.log_index import BOOTSTRAP_SNAPSHOT_ID, DIVERGING, NEEDS_SNAPSHOT, VALID
from klamm.metadata.raft.messages import (
    UNKNOWN_OFFSET,
    BeginQuorumEpochRequest,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    Read,
    ReadSnapshot,
)
from klamm.metadata.raft.roles import Resigned

if TYPE_CHECKING:
    from klamm.metadata.raft.core import Raft

_POSITION_MAX = 2**31 - 1


class ParkedFetch(NamedTuple):
    """A fetch that waits for records or for the high watermark."""

    request_id: int
    request: FetchRequest
    listener_name: str
    deadline_ms: float


def poll(raft: Raft, leader: Leader, now_ms: float) -> float:
    """What is due; gives when to look again."""
    # With one voter nobody else has to be heard from.
    check_quorum_deadline_ms = leader.check_quorum_deadline_ms if len(leader.voters) > 1 else math.inf
    if raft.is_shutting_down or leader.is_resigning or now_ms >= check_quorum_deadline_ms:
        resign(raft, leader, now_ms)
        return now_ms
    voter_changes.expire(raft, leader, now_ms)
    _answer_parked(raft, leader, now_ms)
    if leader.is_resigning:  # one of these fetches has committed this replica's removal
        resign(raft, leader, now_ms)
        return now_ms
    if now_ms >= leader.begin_epoch_deadline_ms:
        _make_known(raft, leader, now_ms)
    deadlines = [parked.deadline_ms for parked in leader.parked]
    if leader.change is not None:
        deadlines.append(leader.change.deadline_ms)
    return min(check_quorum_deadline_ms, leader.begin_epoch_deadline_ms, *deadlines)


def _make_known(raft: Raft, leader: Leader, now_ms: float) -> None:
    """BeginQuorumEpoch to the voters that have not fetched of late."""
    period_ms = raft.settings.fetch_timeout_ms / 2
    leader.forget_silent_observers(now_ms)
    for voter in list(leader.voters.values()):
        if voter.key.node_id != raft.node_id and now_ms - voter.last_fetch_ms >= period_ms:
            request = BeginQuorumEpochRequest(voter.key, raft.node_id, leader.epoch, leader.endpoints)
            endpoints = raft.voters.endpoints(voter.key.node_id)
            transitions.send(raft, voter.key.node_id, endpoints, request, now_ms)
    leader.begin_epoch_deadline_ms = now_ms + period_ms


def resign(raft: Raft, leader: Leader, now_ms: float) -> None:
    """Lead no more in this epoch. Nothing is written: a leader that starts again is resigned anyway."""
    deadline_ms = raft.election_deadline_ms(now_ms)
    voters = raft.voters.ids
    state = Resigned(leader.epoch, raft.node_id, leader.endpoints, voters, leader.by_log_end(), deadline_ms)
    raft.enter(state, is_persisted=False)
    if not raft.is_only_voter:
        raft.connections.reset_all()


def close(raft: Raft, leader: Leader) -> None:
    """Answer whoever waits for this leader."""
    voter_changes.answer(raft, leader, errors.NOT_LEADER_OR_FOLLOWER)
    parked, leader.parked = leader.parked, []
    for fetch in parked:
        response = FetchResponse(
            raft.hint(fetch.listener_name), errors.NOT_LEADER_OR_FOLLOWER, log_start_offset=raft.log.start_offset
        )
        raft.effects.append(Reply(fetch.request_id, response))


def high_watermark_advanced(raft: Raft, leader: Leader, now_ms: float) -> None:
    """Answer what waited for that."""
    voter_changes.high_watermark_advanced(raft, leader)
    parked, leader.parked = leader.parked, []
    for fetch in parked:
        _complete(raft, fetch, now_ms)


def _answer_parked(raft: Raft, leader: Leader, now_ms: float) -> None:
    due = [fetch for fetch in leader.parked if fetch.request.fetch_offset < raft.served_end_offset]
    late = [fetch for fetch in leader.parked if fetch not in due and now_ms >= fetch.deadline_ms]
    if not due and not late:
        return
    leader.parked = [fetch for fetch in leader.parked if fetch not in due and fetch not in late]
    for fetch in due:
        _complete(raft, fetch, now_ms)
    for fetch in late:
        response = FetchResponse(
            raft.hint(fetch.listener_name),
            high_watermark=leader.high_watermark,
            log_start_offset=raft.log.start_offset,
        )
        raft.effects.append(Reply(fetch.request_id, response))


def _complete(raft: Raft, fetch: ParkedFetch, now_ms: float) -> None:
    raft.effects.append(Reply(fetch.request_id, try_fetch(raft, fetch.request, fetch.listener_name, now_ms)))


# -- Fetch --


def fetch(
    raft: Raft, request_id: int, request: FetchRequest, listener_name: str, now_ms: float
) -> FetchResponse | None:
    """Answer a Fetch in Kafka's order of checks; None: it is parked."""
    if (
        request.max_wait_ms < 0
        or request.fetch_offset < 0
        or request.last_fetched_epoch < 0
        or request.last_fetched_epoch > request.epoch
    ):
        return _refusal(raft, errors.INVALID_REQUEST, listener_name)
    response = try_fetch(raft, request, listener_name, now_ms)
    leader = raft.state
    if (
        not isinstance(leader, Leader)
        or response.error_code != errors.NONE
        or isinstance(response.records, Read)
        or request.max_wait_ms == 0
        or response.diverging is not None
        or response.snapshot_id is not None
        or request.high_watermark < response.high_watermark
    ):
        return response
    leader.parked.append(ParkedFetch(request_id, request, listener_name, now_ms + request.max_wait_ms))
    return None


def try_fetch(raft: Raft, request: FetchRequest, listener_name: str, now_ms: float) -> FetchResponse:
    """The answer as of now. A position that is in the log counts as that replica's."""
    if error_code := raft.leader_only_error(request.epoch):
        return _refusal(raft, error_code, listener_name)
    leader, log = raft.leader(), raft.log
    latest = log.latest_snapshot
    if request.fetch_offset == 0 and latest is not None and latest != BOOTSTRAP_SNAPSHOT_ID:
        # An empty replica gets on faster with the snapshot, even if the log begins at 0 still.
        position, told = NEEDS_SNAPSHOT, latest
    else:
        position, told = log.validate(request.fetch_offset, request.last_fetched_epoch)
    if position == VALID:
        _record_position(raft, leader, request, now_ms)
    end_offset = raft.served_end_offset
    has_records = position == VALID and request.fetch_offset < end_offset
    return FetchResponse(
        raft.hint(listener_name),
        high_watermark=leader.high_watermark,
        log_start_offset=log.start_offset,
        diverging=told if position == DIVERGING else None,
        snapshot_id=told if position == NEEDS_SNAPSHOT else None,
        records=Read(request.fetch_offset, end_offset, request.max_bytes) if has_records else (),
    )


def _record_position(raft: Raft, leader: Leader, request: FetchRequest, now_ms: float) -> None:
    replica = request.replica
    if replica.node_id < 0:  # a consumer of the log, no replica
        return
    if replica.node_id == raft.node_id:
        raise RaftError(f"node {raft.node_id} leads, and {replica} fetches from it")
    leader.progress(replica).fetched(request.fetch_offset, raft.log.end_offset, now_ms)
    leader.heard_from(replica, now_ms, raft.settings.fetch_timeout_ms)
    if leader.is_voter(replica):
        raft.advance(leader, now_ms)


def _refusal(raft: Raft, error_code: int, listener_name: str) -> FetchResponse:
    return FetchResponse(raft.hint(listener_name), error_code, UNKNOWN_OFFSET, log_start_offset=raft.log.start_offset)


# -- FetchSnapshot --


def fetch_snapshot(
    raft: Raft, request: FetchSnapshotRequest, listener_name: str, now_ms: float
) -> FetchSnapshotResponse:
    """Answer a FetchSnapshot in Kafka's order of checks."""
    hint = raft.hint(listener_name)
    if error_code := raft.leader_only_error(request.epoch):
        return FetchSnapshotResponse(hint, error_code)
    snapshot_id = request.snapshot_id
    size_bytes = raft.log.snapshots.get(snapshot_id)
    if size_bytes is None or snapshot_id == BOOTSTRAP_SNAPSHOT_ID:
        return FetchSnapshotResponse(hint, errors.SNAPSHOT_NOT_FOUND)
    if not 0 <= request.position < min(size_bytes, _POSITION_MAX):
        return FetchSnapshotResponse(hint, errors.POSITION_OUT_OF_RANGE)
    leader = raft.leader()
    leader.heard_from(request.replica, now_ms, raft.settings.fetch_timeout_ms)
    data = ReadSnapshot(snapshot_id, request.position, request.max_bytes)
    return FetchSnapshotResponse(hint, errors.NONE, snapshot_id, size_bytes, request.position, data)
