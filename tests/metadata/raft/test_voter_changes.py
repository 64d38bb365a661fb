"""Tables of KIP-853: adding, removing and updating voters, kraft.version, auto-join, and the errors real nodes give."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.metadata.image.cluster import VersionRange
from klamm.metadata.raft.core import AppendControl, Became, Commit, RaftSettings, Resign, Synced
from klamm.metadata.raft.exchange import Reply, Send, UpgradeKRaftVersion
from klamm.metadata.raft.messages import (
    AddRaftVoterRequest,
    AddRaftVoterResponse,
    ApiVersionsRequest,
    ApiVersionsResponse,
    BeginQuorumEpochRequest,
    FetchResponse,
    LeaderHint,
    RaftRequest,
    Read,
    RemoveRaftVoterRequest,
    RemoveRaftVoterResponse,
    UpdateRaftVoterRequest,
)
from klamm.metadata.raft.roles import Role
from klamm.metadata.raft.voters import ReplicaKey, Voter, VoterEndpoint
from tests.metadata.raft.quorum import Quorum, endpoint, key, voter, voters

ADD_4 = AddRaftVoterRequest(key(4), (endpoint(4),))
REMOVE_3 = RemoveRaftVoterRequest(key(3))
ELSEWHERE = (VoterEndpoint("OTHER", "n4", 1),)


def replied(effects: list[Any]) -> Any:
    [reply] = [effect for effect in effects if isinstance(effect, Reply)]
    return reply.message


def written(effects: list[Any]) -> list[int]:
    return [kind for effect in effects if isinstance(effect, AppendControl) for kind, _ in effect.records]


@pytest.mark.parametrize(
    ("request_", "error_code"),
    [
        (AddRaftVoterRequest(ReplicaKey(-1, b"x" * 16), (endpoint(4),)), errors.INVALID_REQUEST),
        (AddRaftVoterRequest(ReplicaKey(4), (endpoint(4),)), errors.INVALID_REQUEST),
        (AddRaftVoterRequest(key(4), ELSEWHERE), errors.INVALID_REQUEST),
        (AddRaftVoterRequest(key(2), (endpoint(2),)), errors.DUPLICATE_VOTER),
        (AddRaftVoterRequest(ReplicaKey(2, b"another disk...."), (endpoint(2),)), errors.DUPLICATE_VOTER),
        (RemoveRaftVoterRequest(ReplicaKey(3)), errors.INVALID_REQUEST),
        (RemoveRaftVoterRequest(key(4)), errors.VOTER_NOT_FOUND),
        (RemoveRaftVoterRequest(ReplicaKey(3, b"another disk....")), errors.VOTER_NOT_FOUND),
        (UpdateRaftVoterRequest(3, voter(2)), errors.FENCED_LEADER_EPOCH),
        (UpdateRaftVoterRequest(5, voter(2)), errors.UNKNOWN_LEADER_EPOCH),
        (UpdateRaftVoterRequest(4, voter(2)._replace(directory_id=bytes(16))), errors.INVALID_REQUEST),
        (UpdateRaftVoterRequest(4, voter(2)._replace(endpoints=ELSEWHERE)), errors.INVALID_REQUEST),
        (UpdateRaftVoterRequest(4, voter(2)._replace(kraft_versions=VersionRange(1, 0))), errors.INVALID_REQUEST),
        (UpdateRaftVoterRequest(4, voter(2)._replace(kraft_versions=VersionRange(0, 0))), errors.INVALID_REQUEST),
        (UpdateRaftVoterRequest(4, voter(4)), errors.VOTER_NOT_FOUND),
    ],
)
def test_refusals_of_a_leader(request_: RaftRequest, error_code: int) -> None:
    quorum = Quorum().committed_leader()
    assert replied(quorum.ask(request_)).error_code == error_code
    assert not written(quorum.effects)


@pytest.mark.parametrize("request_", [ADD_4, REMOVE_3, UpdateRaftVoterRequest(4, voter(2))])
def test_refusals_before_a_leader_can_change_voters(request_: RaftRequest) -> None:
    assert replied(Quorum().follower().ask(request_)).error_code == errors.NOT_LEADER_OR_FOLLOWER
    assert replied(Quorum().leader().ask(request_)).error_code == errors.REQUEST_TIMED_OUT, "no high watermark yet"


@pytest.mark.parametrize("request_", [ADD_4, REMOVE_3])
def test_static_voters_do_not_change(request_: RaftRequest) -> None:
    quorum = Quorum(kraft_version=0).committed_leader()
    assert replied(quorum.ask(request_)).error_code == errors.UNSUPPORTED_VERSION


# -- adding --


def added(quorum: Quorum, request: AddRaftVoterRequest = ADD_4) -> list[Any]:
    """Node 4 has caught up and asks; its versions are known."""
    quorum.fetch(4)
    effects = quorum.ask(request)
    [send] = [effect for effect in effects if isinstance(effect, Send)]
    assert send.message == ApiVersionsRequest() and send.node == (4, "n4", 9093)
    quorum.effects = [send]
    return quorum.answer(ApiVersionsResponse(VersionRange(0, 1)))


def test_adding_a_voter() -> None:
    quorum = Quorum().committed_leader()
    effects = added(quorum)
    assert written(effects) == [records.CONTROL_KRAFT_VOTERS]
    assert quorum.raft.voters.ids == [1, 2, 3, 4], "it counts before it is committed"
    quorum.step(Synced(17))
    assert not any(isinstance(e, Commit) for e in quorum.fetch(2)), "two of four are no majority"
    effects = quorum.fetch(4)
    assert Commit(17) in effects and Reply(1003, AddRaftVoterResponse()) in effects


def test_a_second_voter_does_not_end_the_epoch_of_the_only_one() -> None:
    quorum = Quorum((1,))
    quorum.step(Synced(quorum.raft.end_offset))
    quorum.now_ms = 60_000  # there was nobody to be heard from
    assert written(added(quorum)) == [records.CONTROL_KRAFT_VOTERS]
    quorum.step(Synced(quorum.raft.end_offset))
    effects = quorum.fetch(4)
    assert Reply(1002, AddRaftVoterResponse()) in effects and quorum.raft.role is Role.LEADER
    quorum.wait(3000)
    assert quorum.raft.role is Role.RESIGNED, "now there is"


def test_an_answer_when_it_is_written() -> None:
    quorum = Quorum().committed_leader()
    effects = added(quorum, ADD_4._replace(ack_when_committed=False))
    assert replied(effects) == AddRaftVoterResponse()
    assert replied(quorum.ask(REMOVE_3)).error_code == errors.REQUEST_TIMED_OUT, "it is still under way"


@pytest.mark.parametrize("request_", [ADD_4._replace(voter=key(5)), REMOVE_3, UpdateRaftVoterRequest(4, voter(2))])
def test_one_change_at_a_time(request_: RaftRequest) -> None:
    quorum = Quorum().committed_leader()
    added(quorum)
    assert replied(quorum.ask(request_)).error_code == errors.REQUEST_TIMED_OUT
    # The answer gave up, the record did not: it must be committed first.
    quorum.now_ms += 2000
    quorum.fetch(2)
    quorum.fetch(3, 16)
    if not isinstance(request_, UpdateRaftVoterRequest):
        assert replied(quorum.ask(request_)).error_code == errors.REQUEST_TIMED_OUT


def test_a_voter_that_lags_is_not_added() -> None:
    quorum = Quorum().committed_leader()
    quorum.fetch(4, 10)
    quorum.ask(ADD_4)
    effects = quorum.answer(ApiVersionsResponse(VersionRange(0, 1)), 4)
    assert replied(effects).error_code == errors.REQUEST_TIMED_OUT and not written(effects)


@pytest.mark.parametrize("versions", [None, VersionRange(0, 0), VersionRange(2, 3)])
def test_a_voter_must_know_the_kraft_version(versions: VersionRange | None) -> None:
    quorum = Quorum().committed_leader()
    quorum.fetch(4)
    quorum.ask(ADD_4)
    effects = quorum.answer(ApiVersionsResponse(versions), 4)
    assert replied(effects).error_code == errors.INVALID_REQUEST and not written(effects)


def test_a_change_that_is_lost_with_the_leadership() -> None:
    quorum = Quorum().committed_leader()
    added(quorum)
    effects = quorum.step(Resign())
    assert AddRaftVoterResponse(errors.NOT_LEADER_OR_FOLLOWER) in [e.message for e in effects if isinstance(e, Reply)]


def test_a_new_voter_set_is_shown_when_it_is_on_the_own_disk() -> None:
    quorum = Quorum().committed_leader()
    added(quorum)
    assert quorum.raft.served_end_offset == 16
    quorum.step(Synced(17))
    assert replied(quorum.fetch(3, 16)).records == Read(16, 17, 0x7FFFFFFF)


# -- removing --


def test_removing_a_voter() -> None:
    quorum = Quorum().committed_leader()
    effects = quorum.ask(REMOVE_3)
    assert written(effects) == [records.CONTROL_KRAFT_VOTERS] and quorum.raft.voters.ids == [1, 2]
    quorum.step(Synced(17))
    assert Reply(1003, RemoveRaftVoterResponse()) not in quorum.fetch(3), "it does not count any more"
    effects = quorum.fetch(2)
    assert Commit(17) in effects and RemoveRaftVoterResponse() in [e.message for e in effects if isinstance(e, Reply)]


def test_a_leader_that_removes_itself_resigns_when_that_is_committed() -> None:
    quorum = Quorum().committed_leader()
    quorum.ask(RemoveRaftVoterRequest(key(1)))
    quorum.step(Synced(17))
    assert quorum.raft.role is Role.LEADER, "it leads on, and does not count itself"
    quorum.fetch(2)
    assert quorum.raft.role is Role.LEADER
    assert Became(Role.RESIGNED, 4, 1) in quorum.fetch(3)


def test_the_last_voter_stays() -> None:
    quorum = Quorum((1,))
    quorum.step(Synced(16))
    assert replied(quorum.ask(RemoveRaftVoterRequest(key(1)))).error_code == errors.VOTER_NOT_FOUND


def test_voters_that_are_cut_away_are_forgotten() -> None:
    quorum = Quorum().follower()
    quorum.raft.history.add_voters(14, voters(1, 2, 3, 4))
    from klamm.metadata.raft.log_index import OffsetAndEpoch

    quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2)), diverging=OffsetAndEpoch(12, 3)))
    assert quorum.raft.voters == voters(1, 2, 3)


# -- updating --


@pytest.mark.parametrize(
    ("listens_at", "known"),
    [
        (endpoint(1, 7777), voter(1)),
        (endpoint(1), voter(1)._replace(kraft_versions=VersionRange(0, 0))),
    ],
    ids=["it moved", "it knows more levels of kraft.version"],
)
def test_a_voter_that_has_changed_tells_the_leader(listens_at: VoterEndpoint, known: Voter) -> None:
    quorum = Quorum()
    quorum.raft._endpoints = (listens_at,)
    quorum.raft.history.load(0, 1, quorum.raft.voters.replace(known))
    quorum.follower()
    quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2)), high_watermark=-1))
    send = quorum.sent()[0]
    quorum.now_ms += 1900
    quorum.effects = [send]
    quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2)), high_watermark=-1))
    send = quorum.sent()[0]
    quorum.now_ms += 100
    quorum.effects = [send]
    quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2)), high_watermark=-1))
    [send] = quorum.sent()
    assert send.message == UpdateRaftVoterRequest(4, voter(1)._replace(endpoints=(listens_at,)))


@pytest.mark.parametrize(
    "changed",
    [
        voter(2)._replace(endpoints=(endpoint(2, 7777),)),
        voter(2)._replace(kraft_versions=VersionRange(1, 2)),
    ],
)
def test_the_leader_writes_a_voter_that_has_changed(changed: Voter) -> None:
    quorum = Quorum().committed_leader()
    effects = quorum.ask(UpdateRaftVoterRequest(4, changed))
    assert written(effects) == [records.CONTROL_KRAFT_VOTERS] and replied(effects).error_code == errors.NONE
    assert quorum.raft.voters.voter(2) == changed


def test_a_leader_that_moved_writes_that_with_its_epoch() -> None:
    quorum = Quorum()
    quorum.raft._endpoints = (endpoint(1, 7777),)
    quorum.leader()
    assert quorum.raft.voters.endpoints(1) == (endpoint(1, 7777),)
    assert quorum.raft.history.voters_offset == 17


# -- auto-join --


@pytest.mark.parametrize(
    ("voter_ids", "expected"),
    [
        ((2, 3), AddRaftVoterRequest(key(1), (endpoint(1),), ack_when_committed=False)),
        ((1, 2, 3), RemoveRaftVoterRequest(ReplicaKey(1, b"a former disk..."))),
    ],
)
def test_an_observer_joins_by_itself(voter_ids: tuple[int, ...], expected: RaftRequest) -> None:
    quorum = Quorum(voter_ids, settings=RaftSettings(auto_join=True))
    if 1 in voter_ids:
        former = voter(1)._replace(directory_id=b"a former disk...")
        quorum.raft.history.load(0, 1, quorum.raft.voters.replace(former))
    quorum.ask(BeginQuorumEpochRequest(None, 2, 4, (endpoint(2),)))
    quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2))))
    waiting = quorum.sent()
    quorum.now_ms += 2000
    quorum.effects = waiting
    quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2))))
    assert [send.message for send in quorum.sent()] == [expected]


# -- kraft.version --


def test_from_static_to_dynamic_voters() -> None:
    quorum = Quorum(kraft_version=0).committed_leader()
    with pytest.raises(KafkaError) as caught:
        quorum.step(UpgradeKRaftVersion(4, 1))
    assert caught.value.code == errors.INVALID_UPDATE_VERSION, "the others have not told their directory ids"
    for node_id in (2, 3):
        assert replied(quorum.ask(UpdateRaftVoterRequest(4, voter(node_id)))).error_code == errors.NONE
    assert quorum.step(UpgradeKRaftVersion(4, 1, validate_only=True)) == []
    effects = quorum.step(UpgradeKRaftVersion(4, 1))
    assert written(effects) == [records.CONTROL_KRAFT_VERSION, records.CONTROL_KRAFT_VOTERS]
    assert quorum.raft.kraft_version == 1 and quorum.raft.voters == voters(1, 2, 3)
    with pytest.raises(KafkaError):
        quorum.step(UpgradeKRaftVersion(4, 0))
    assert quorum.step(UpgradeKRaftVersion(4, 1)) == []
