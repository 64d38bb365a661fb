"""What a follower or observer does: finds the leader, fetches records and snapshots, keeps its voter entry right.

A voter, or who may become one, fetches on only when what it has is on its disk: its position says so to the leader.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.metadata.raft import transitions
from klamm.metadata.raft.core import RaftError
from klamm.metadata.raft.exchange import AppendFetched, Snapshot, Truncate
from klamm.metadata.raft.messages import (
    UNKNOWN_OFFSET,
    AddRaftVoterRequest,
    AddRaftVoterResponse,
    FetchedBatch,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    RaftRequest,
    RaftResponse,
    Read,
    RemoveRaftVoterRequest,
    RemoveRaftVoterResponse,
    UpdateRaftVoterRequest,
    UpdateRaftVoterResponse,
)
from klamm.metadata.raft.roles import Follower

if TYPE_CHECKING:
    from klamm.metadata.raft.core import Raft
    from klamm.metadata.raft.exchange import SnapshotLoaded
    from klamm.metadata.raft.log_index import OffsetAndEpoch


def poll(raft: Raft, state: Follower, now_ms: float) -> float:
    """What is due; gives when to look again."""
    is_voter = raft.is_voter
    if raft.is_shutting_down:
        return math.inf
    may_stand = raft.may_stand
    if may_stand and now_ms >= state.fetch_deadline_ms:
        transitions.become_prospective(raft, now_ms)
        return now_ms
    deadline_ms = state.fetch_deadline_ms if may_stand else math.inf
    if now_ms >= state.update_voter_deadline_ms:
        request = _voter_update(raft, state) if is_voter else _membership_request(raft)
        if request is None:
            state.update_voter_deadline_ms = now_ms + raft.settings.fetch_timeout_ms
        else:
            sent_before = len(raft.effects)
            deadline_ms = min(deadline_ms, _send_to_leader(raft, state, request, now_ms))
            if len(raft.effects) > sent_before:
                state.update_voter_deadline_ms = now_ms + raft.settings.fetch_timeout_ms
            return deadline_ms
    return min(deadline_ms, state.update_voter_deadline_ms, _fetch_from_best(raft, state, now_ms))


def ask_bootstrap(raft: Raft, now_ms: float) -> float:
    """A Fetch to any bootstrap server tells who leads; gives when to look again."""
    if not _may_fetch(raft) or raft.entropy is None:
        return math.inf
    node = raft.connections.ready_bootstrap(now_ms, raft.entropy)
    if node is not None and node.node_id != raft.node_id:
        return transitions.send_to(raft, node, _fetch_request(raft), now_ms)
    return raft.connections.bootstrap_deadline_ms(now_ms)


def _fetch_from_best(raft: Raft, state: Follower, now_ms: float) -> float:
    """From the leader; while it does not answer, whoever may know another one is asked."""
    if state.is_loading or not _may_fetch(raft):
        return math.inf
    connections = raft.connections
    if connections.has_timed_out(state.leader_id, now_ms):
        connections.reset(state.leader_id)
        return ask_bootstrap(raft, now_ms)
    if connections.backoff_until_ms(state.leader_id, now_ms) is not None:
        return ask_bootstrap(raft, now_ms)
    until_ms = connections.in_flight_until_ms(now_ms)
    if until_ms is not None:
        return until_ms
    request: RaftRequest
    if state.fetching is not None:
        snapshot_id, position = state.fetching
        max_bytes = raft.settings.fetch_snapshot_max_bytes
        request = FetchSnapshotRequest(raft.key, raft.epoch, snapshot_id, position, max_bytes)
    else:
        request = _fetch_request(raft)
    return _send_to_leader(raft, state, request, now_ms)


def _send_to_leader(raft: Raft, state: Follower, request: RaftRequest, now_ms: float) -> float:
    return transitions.send(raft, state.leader_id, state.endpoints, request, now_ms)


def _may_fetch(raft: Raft) -> bool:
    must_sync = raft.is_voter or raft.settings.can_become_voter
    return not must_sync or raft.synced_offset >= raft.log.end_offset


def _fetch_request(raft: Raft) -> FetchRequest:
    end = raft.log.end
    high_watermark = raft.high_watermark or UNKNOWN_OFFSET
    settings = raft.settings
    return FetchRequest(
        raft.key,
        raft.epoch,
        end.offset,
        end.epoch,
        high_watermark,
        settings.fetch_max_wait_ms,
        settings.fetch_max_bytes,
    )


# -- the voter entry --


def _voter_update(raft: Raft, state: Follower) -> RaftRequest | None:
    """A voter that the set does not describe rightly tells the leader; at kraft.version 0 each does once, which is how
    the leader learns the directory ids that an upgrade writes.
    """
    own = raft.own_voter
    is_due = raft.voters.needs_update(own) if raft.kraft_version > 0 else not state.has_updated_leader
    return UpdateRaftVoterRequest(raft.epoch, own) if is_due and own.endpoints else None


def _membership_request(raft: Raft) -> RaftRequest | None:
    """`controller.quorum.auto.join.enable`: an earlier voter of the same id goes, then this replica comes."""
    settings = raft.settings
    if not (settings.auto_join and settings.can_become_voter and raft.kraft_version > 0):
        return None
    earlier = raft.voters.voter(raft.node_id)
    if earlier is not None:
        return RemoveRaftVoterRequest(earlier.key)
    return AddRaftVoterRequest(raft.key, raft.endpoints, ack_when_committed=False) if raft.endpoints else None


def voter_updated(raft: Raft, response: UpdateRaftVoterResponse, now_ms: float) -> bool:
    handled = transitions.take_hint(raft, response.error_code, response.leader, now_ms)
    if handled is not None:
        return handled
    state = raft.state
    if response.error_code not in (errors.NONE, errors.UNSUPPORTED_VERSION) or not isinstance(state, Follower):
        return False
    state.has_updated_leader = True
    _fetch_succeeded(raft, state, now_ms)
    return True


def membership_answered(raft: Raft, response: RaftResponse, now_ms: float) -> bool:
    """An answer to an add or remove for the own sake."""
    fine = {errors.NONE, errors.REQUEST_TIMED_OUT}
    if isinstance(response, AddRaftVoterResponse):
        fine.add(errors.DUPLICATE_VOTER)
    elif isinstance(response, RemoveRaftVoterResponse):
        fine.add(errors.VOTER_NOT_FOUND)
    if response.error_code not in fine or not isinstance(raft.state, Follower):
        return False
    raft.state.update_voter_deadline_ms = now_ms + raft.settings.fetch_timeout_ms
    return True


# -- Fetch --


def fetched(raft: Raft, response: FetchResponse, now_ms: float) -> bool:
    """Take an answer to a Fetch. Raises RaftError for a cut below the high watermark."""
    handled = transitions.take_hint(raft, response.error_code, response.leader, now_ms)
    if handled is not None:
        return handled
    state = raft.state
    if response.error_code != errors.NONE or not isinstance(state, Follower):
        return False
    raft.leader_high_watermark = max(raft.leader_high_watermark, response.high_watermark)
    if response.diverging is not None:
        truncate(raft, response.diverging)
    elif response.snapshot_id is not None:
        # It is expected to lie beyond the log's end: nothing to compare it with.
        state.fetching = (response.snapshot_id, 0)
    else:
        if not isinstance(response.records, Read):
            append(raft, response.records)
        advance(raft, response.high_watermark)
    _fetch_succeeded(raft, state, now_ms)
    return True


def _fetch_succeeded(raft: Raft, state: Follower, now_ms: float) -> None:
    state.fetch_deadline_ms = now_ms + raft.settings.fetch_timeout_ms
    state.has_fetched = True


def truncate(raft: Raft, diverging: OffsetAndEpoch) -> None:
    """Cut what the leader does not have."""
    if diverging.offset < raft.high_watermark:
        raise RaftError(f"the leader wants a cut at {diverging.offset}, below the high watermark {raft.high_watermark}")
    offset = raft.log.truncation_offset(diverging)
    raft.truncations += 1
    raft.effects.append(Truncate(offset))
    raft.log.truncate(offset)
    raft.synced_offset = min(raft.synced_offset, offset)
    raft.history.truncate(offset)


def append(raft: Raft, batches: tuple[FetchedBatch, ...]) -> None:
    """Take the batches that go on where the log ends; what is odd, and all behind it, is fetched again."""
    taken = []
    for batch in batches:
        if batch.base_offset != raft.log.end_offset or not raft.log.last_epoch <= batch.epoch <= raft.epoch:
            break
        raft.log.append(batch.epoch, batch.next_offset)
        raft.history.add(batch.control)
        taken.append(batch)
    if taken:
        raft.effects.append(AppendFetched(tuple(taken)))


def advance(raft: Raft, high_watermark: int) -> None:
    """What the leader has committed is committed here as far as it is here."""
    raft.commit(min(high_watermark, raft.log.end_offset))


# -- FetchSnapshot --


def snapshot_fetched(raft: Raft, response: FetchSnapshotResponse, now_ms: float) -> bool:
    """Take a piece of a snapshot."""
    handled = transitions.take_hint(raft, response.error_code, response.leader, now_ms)
    if handled is not None:
        return handled
    state = raft.state
    if not isinstance(state, Follower):
        return False
    if response.error_code == errors.SNAPSHOT_NOT_FOUND:
        # The leader has a later one by now, or the log was enough: a Fetch tells.
        state.fetching = None
        _fetch_succeeded(raft, state, now_ms)
        return True
    if response.error_code != errors.NONE:
        return False
    data = response.data
    if state.fetching is None or state.fetching != (response.snapshot_id, response.position):
        return False
    if not isinstance(data, bytes | memoryview) or len(data) == 0:
        return False
    snapshot_id, position = state.fetching
    end = position + len(data)
    is_last = end >= response.size_bytes
    raft.effects.append(Snapshot(snapshot_id, position, data, is_last))
    state.fetching = None if is_last else (snapshot_id, end)
    state.is_loading = is_last
    _fetch_succeeded(raft, state, now_ms)
    return True


def snapshot_loaded(raft: Raft, event: SnapshotLoaded, now_ms: float) -> None:
    """A fetched snapshot takes the place of the whole log, unless the log has come further in the meantime."""
    snapshot_id, log = event.snapshot_id, raft.log
    is_beyond = snapshot_id.order > log.end.order
    log.snapshots[snapshot_id] = event.size_bytes
    state = raft.state
    if isinstance(state, Follower):
        state.is_loading = False
        _fetch_succeeded(raft, state, now_ms)
    if not is_beyond:
        return
    raft.truncations += 1
    raft.effects.append(Truncate(snapshot_id.offset, is_full=True))
    log.begin_at(snapshot_id)
    raft.synced_offset = snapshot_id.offset
    raft.history.load(snapshot_id.offset - 1, event.kraft_version, event.voters)
    raft.commit(snapshot_id.offset)
