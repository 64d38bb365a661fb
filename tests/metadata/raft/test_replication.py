"""Tables of replication: Fetch and FetchSnapshot at both ends, the high watermark, truncation."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.metadata.raft.core import Append, Became, Commit, Propose, RaftError, Resign, Synced
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.exchange import (
    AppendFetched,
    LogStartMoved,
    Reply,
    Request,
    Send,
    Snapshot,
    SnapshotLoaded,
    SnapshotTaken,
    Truncate,
)
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.raft.messages import (
    FetchedBatch,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    LeaderHint,
    Read,
    ReadSnapshot,
)
from klamm.metadata.raft.roles import Role
from tests.metadata.raft.quorum import Quorum, endpoint, key, voters

LEADER_2 = LeaderHint(2, 4, endpoint(2))
SNAPSHOT = OffsetAndEpoch(12, 3)


def replied(effects: list[Any]) -> Any:
    [reply] = [effect for effect in effects if isinstance(effect, Reply)]
    return reply.message


def fetch(epoch: int, offset: int, last_epoch: int, **changes: Any) -> FetchRequest:
    return FetchRequest(key(2), epoch, offset, last_epoch)._replace(**changes)


# -- Fetch at the leader: its log is 0-9 of epoch 1, 10-14 of epoch 3, 15 of epoch 4 --


@pytest.mark.parametrize(
    ("request_", "error_code"),
    [
        (fetch(4, -1, 0), errors.INVALID_REQUEST),
        (fetch(4, 0, -1), errors.INVALID_REQUEST),
        (fetch(4, 0, 5), errors.INVALID_REQUEST),
        (fetch(4, 0, 0, max_wait_ms=-1), errors.INVALID_REQUEST),
        (fetch(3, -1, 0), errors.INVALID_REQUEST),  # before the epoch is looked at
        (fetch(3, 0, 0), errors.FENCED_LEADER_EPOCH),
        (fetch(5, 0, 0), errors.UNKNOWN_LEADER_EPOCH),
    ],
)
def test_fetches_that_are_refused(request_: FetchRequest, error_code: int) -> None:
    response = replied(Quorum().leader().ask(request_))
    assert (response.error_code, response.high_watermark, response.records) == (error_code, -1, ())
    assert response.leader == LeaderHint(1, 4, endpoint(1))


def test_who_does_not_lead_tells_who_does() -> None:
    response = replied(Quorum().follower().ask(fetch(4, 0, 0)))
    assert (response.error_code, response.leader) == (errors.NOT_LEADER_OR_FOLLOWER, LEADER_2)
    response = replied(Quorum().ask(fetch(3, 0, 0)))
    assert (response.error_code, response.leader) == (errors.NOT_LEADER_OR_FOLLOWER, LeaderHint(-1, 3))


@pytest.mark.parametrize(
    ("offset", "last_epoch", "diverging"),
    [
        (0, 0, None),
        (10, 1, None),
        (12, 3, None),
        (16, 4, None),
        (11, 1, OffsetAndEpoch(10, 1)),
        (12, 2, OffsetAndEpoch(10, 1)),
        (16, 3, OffsetAndEpoch(15, 3)),
        (17, 4, OffsetAndEpoch(16, 4)),
        (5, 0, OffsetAndEpoch(0, 0)),
    ],
)
def test_a_position_is_in_the_log_or_diverges(offset: int, last_epoch: int, diverging: OffsetAndEpoch | None) -> None:
    response = replied(Quorum().leader().ask(fetch(4, offset, last_epoch)))
    assert response.error_code == errors.NONE and response.diverging == diverging
    records = Read(offset, 16, 0x7FFFFFFF) if diverging is None and offset < 16 else ()
    assert response.records == records


def test_only_a_record_of_the_own_epoch_commits() -> None:
    quorum = Quorum().leader()
    assert not any(isinstance(effect, Commit) for effect in quorum.fetch(2, 15))
    assert quorum.raft.leader().high_watermark == -1
    effects = quorum.fetch(3, 16)
    assert Commit(16) in effects and effects.index(Commit(16)) < len(effects) - 1
    assert replied(effects).high_watermark == 16


def test_the_leaders_own_disk_counts() -> None:
    quorum = Quorum().committed_leader()
    quorum.step(Propose(b"x", 2))
    assert not any(isinstance(effect, Commit) for effect in quorum.fetch(2)), "one disk of three"
    assert quorum.step(Synced(18)) == [Commit(18)]


def test_observers_do_not_count() -> None:
    quorum = Quorum().leader()
    assert Commit(16) not in quorum.fetch(9)
    assert [k.node_id for k in quorum.raft.leader().observers] == [9]


def test_a_fetch_at_the_end_waits_for_records() -> None:
    quorum = Quorum().committed_leader()
    assert quorum.ask(fetch(4, 16, 4, high_watermark=16, max_wait_ms=500)) == []
    effects = quorum.step(Propose(b"x", 1))
    assert effects[0] == Append(4, b"x"), "what is told can be read"
    assert replied(effects).records == Read(16, 17, 0x7FFFFFFF)


def test_a_fetch_waits_no_longer_than_it_asks() -> None:
    quorum = Quorum().committed_leader()
    quorum.ask(fetch(4, 16, 4, high_watermark=16, max_wait_ms=500))
    assert quorum.wait(499) == []
    response = replied(quorum.wait(1))
    assert (response.error_code, response.high_watermark, response.records) == (errors.NONE, 16, ())


def test_a_fetch_is_answered_at_once_when_the_high_watermark_is_news() -> None:
    response = replied(Quorum().committed_leader().ask(fetch(4, 16, 4, high_watermark=15, max_wait_ms=500)))
    assert response.high_watermark == 16


def test_a_waiting_fetch_learns_that_the_leader_resigned() -> None:
    quorum = Quorum().committed_leader()
    quorum.ask(fetch(4, 16, 4, high_watermark=16, max_wait_ms=500))
    effects = quorum.step(Resign())
    assert replied(effects).error_code == errors.NOT_LEADER_OR_FOLLOWER


def test_two_leaders_in_an_epoch_stop_the_node() -> None:
    quorum = Quorum().leader()
    with pytest.raises(RaftError):
        quorum.step(Request(1, fetch(4, 16, 4)._replace(replica=key(1))))


# -- Fetch at the follower --


def batch(base: int, end: int, epoch: int) -> FetchedBatch:
    return FetchedBatch(base, end, epoch, (), f"{base}/{epoch}")


def test_a_follower_fetches_on_when_its_disk_has_it() -> None:
    quorum = Quorum().follower()
    [send] = quorum.sent()
    assert send.node[:2] == (2, "n2") and send.message == FetchRequest(key(1), 4, 15, 3, -1, 500, 1 << 20)
    rows = (batch(15, 17, 4), batch(17, 18, 4))
    effects = quorum.answer(FetchResponse(LEADER_2, high_watermark=16, records=rows))
    assert effects == [AppendFetched(rows), Commit(16)], "no fetch before the sync"
    [send] = [effect for effect in quorum.step(Synced(18)) if isinstance(effect, Send)]
    assert send.message == FetchRequest(key(1), 4, 18, 4, 16, 500, 1 << 20)


def test_the_high_watermark_ends_where_the_log_does() -> None:
    quorum = Quorum().follower()
    assert Commit(15) in quorum.answer(FetchResponse(LEADER_2, high_watermark=99))


@pytest.mark.parametrize(
    "rows",
    [
        (batch(16, 17, 4),),
        (batch(15, 16, 5),),
        (batch(15, 16, 2),),
    ],
)
def test_odd_batches_are_not_taken(rows: tuple[FetchedBatch, ...]) -> None:
    quorum = Quorum().follower()
    effects = quorum.answer(FetchResponse(LEADER_2, high_watermark=15, records=rows))
    assert not any(isinstance(effect, AppendFetched) for effect in effects)
    assert quorum.raft.end_offset == 15


@pytest.mark.parametrize(
    ("diverging", "cut"),
    [
        (OffsetAndEpoch(12, 3), 12),
        (OffsetAndEpoch(20, 3), 15),
        (OffsetAndEpoch(12, 2), 10),
        (OffsetAndEpoch(5, 1), 5),
        (OffsetAndEpoch(0, 0), 0),
    ],
)
def test_a_follower_cuts_what_the_leader_does_not_have(diverging: OffsetAndEpoch, cut: int) -> None:
    quorum = Quorum().follower()
    effects = quorum.answer(FetchResponse(LEADER_2, diverging=diverging))
    assert effects[0] == Truncate(cut)
    assert quorum.raft.end_offset == cut and quorum.raft.truncations == 1
    quorum.step(Synced(15, 0))
    assert quorum.raft.synced_offset == cut, "a sync from before the cut tells nothing of what comes behind it"


def test_nothing_committed_is_cut() -> None:
    quorum = Quorum().follower()
    quorum.answer(FetchResponse(LEADER_2, high_watermark=15))
    with pytest.raises(RaftError):
        quorum.answer(FetchResponse(LEADER_2, diverging=OffsetAndEpoch(12, 3)))


def test_an_observer_finds_its_leader_with_the_fetch_that_is_answered() -> None:
    quorum = Quorum((2, 3), end_offset=0, election=ElectionState(0))
    assert quorum.raft.state_name == "unattached"
    quorum.answer(FetchResponse(LeaderHint(2, 5, endpoint(2)), errors.FENCED_LEADER_EPOCH))
    assert (quorum.raft.state_name, quorum.raft.leader_id) == ("observer", 2)
    quorum.wait(100_000)
    assert quorum.raft.role is Role.FOLLOWER, "an observer stands for nothing"


def test_who_gets_no_answer_asks_others() -> None:
    quorum = Quorum().follower()
    quorum.now_ms += 1999
    quorum.raft.state.fetch_deadline_ms += 5000  # type: ignore[attr-defined]
    quorum.wait(1)
    [send] = quorum.sent()
    assert send.node.node_id < 0, "a bootstrap server"


# -- snapshots --


def test_a_replica_without_records_is_sent_to_the_snapshot() -> None:
    quorum = Quorum(snapshots={SNAPSHOT: 1000}).leader()
    response = replied(quorum.ask(fetch(4, 0, 0)))
    assert response.snapshot_id == SNAPSHOT and response.records == ()


@pytest.mark.parametrize(
    ("offset", "last_epoch", "is_sent"), [(5, 1, True), (12, 1, True), (12, 3, False), (14, 3, False)]
)
def test_a_position_below_the_log_start_is_sent_to_the_snapshot(offset: int, last_epoch: int, is_sent: bool) -> None:
    quorum = Quorum(snapshots={SNAPSHOT: 1000}).leader()
    quorum.step(LogStartMoved(12))
    response = replied(quorum.ask(fetch(4, offset, last_epoch)))
    assert response.error_code == errors.NONE and (response.snapshot_id == SNAPSHOT) == is_sent


@pytest.mark.parametrize(
    ("epoch", "snapshot_id", "position", "error_code"),
    [
        (4, SNAPSHOT, 0, errors.NONE),
        (4, SNAPSHOT, 999, errors.NONE),
        (3, SNAPSHOT, 0, errors.FENCED_LEADER_EPOCH),
        (5, SNAPSHOT, 0, errors.UNKNOWN_LEADER_EPOCH),
        (4, OffsetAndEpoch(11, 3), 0, errors.SNAPSHOT_NOT_FOUND),
        (4, OffsetAndEpoch(0, 0), 0, errors.SNAPSHOT_NOT_FOUND),
        (4, SNAPSHOT, 1000, errors.POSITION_OUT_OF_RANGE),
        (4, SNAPSHOT, -1, errors.POSITION_OUT_OF_RANGE),
    ],
)
def test_fetch_snapshot(epoch: int, snapshot_id: OffsetAndEpoch, position: int, error_code: int) -> None:
    quorum = Quorum(snapshots={OffsetAndEpoch(0, 0): 50, SNAPSHOT: 1000}).leader()
    response = replied(quorum.ask(FetchSnapshotRequest(key(2), epoch, snapshot_id, position, 300)))
    assert response.error_code == error_code
    if error_code == errors.NONE:
        assert response.data == ReadSnapshot(SNAPSHOT, position, 300) and response.size_bytes == 1000


def test_a_follower_copies_a_snapshot_and_goes_on_behind_it() -> None:
    quorum = Quorum().follower()
    snapshot_id = OffsetAndEpoch(40, 4)
    quorum.answer(FetchResponse(LEADER_2, snapshot_id=snapshot_id))
    assert quorum.sent()[0].message == FetchSnapshotRequest(key(1), 4, snapshot_id, 0, 1 << 20)
    effects = quorum.answer(FetchSnapshotResponse(LEADER_2, 0, snapshot_id, 5, 0, b"abc"))
    assert effects[0] == Snapshot(snapshot_id, 0, b"abc", False)
    assert quorum.sent()[0].message == FetchSnapshotRequest(key(1), 4, snapshot_id, 3, 1 << 20)
    assert quorum.answer(FetchSnapshotResponse(LEADER_2, 0, snapshot_id, 5, 3, b"de")) == [
        Snapshot(snapshot_id, 3, b"de", True)
    ]
    effects = quorum.step(SnapshotLoaded(snapshot_id, 5, 1, voters(1, 2)))
    assert effects[:2] == [Truncate(40, is_full=True), Commit(40)]
    assert quorum.sent()[0].message == FetchRequest(key(1), 4, 40, 4, 40, 500, 1 << 20)
    assert quorum.raft.voters == voters(1, 2) and quorum.raft.log.start_offset == 40


def test_a_snapshot_that_is_gone_is_given_up() -> None:
    quorum = Quorum().follower()
    quorum.answer(FetchResponse(LEADER_2, snapshot_id=OffsetAndEpoch(40, 4)))
    quorum.answer(FetchSnapshotResponse(LEADER_2, errors.SNAPSHOT_NOT_FOUND))
    assert isinstance(quorum.sent()[0].message, FetchRequest)


def test_the_own_snapshot_is_offered() -> None:
    quorum = Quorum().leader()
    quorum.step(SnapshotTaken(SNAPSHOT, 77))
    assert replied(quorum.ask(fetch(4, 0, 0))).snapshot_id == SNAPSHOT


def test_roles_are_told_in_order() -> None:
    effects = Quorum().follower().wait(2000)
    assert effects[0] == Became(Role.PROSPECTIVE, 4, 2)
