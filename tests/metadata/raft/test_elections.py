"""Tables of elections: role and input, effects in their order, errors in Kafka's precedence."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.metadata.raft.core import AppendControl, Became, Persist, Resign
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.exchange import Failed, Reply, Response, Send, Shutdown
from klamm.metadata.raft.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    LeaderHint,
    VoteRequest,
    VoteResponse,
)
from klamm.metadata.raft.roles import Role
from klamm.metadata.raft.voters import ReplicaKey
from tests.metadata.raft.quorum import Quorum, endpoint, key, vote

V2 = key(2).directory_id


def replied(effects: list[Any]) -> Any:
    [reply] = [effect for effect in effects if isinstance(effect, Reply)]
    return reply.message


# -- the beginning --


@pytest.mark.parametrize(
    ("election", "role", "leader_id"),
    [
        (ElectionState(3), Role.UNATTACHED, -1),
        (ElectionState(3, leader_id=2), Role.FOLLOWER, 2),
        (ElectionState(3, leader_id=1), Role.RESIGNED, 1),
        (ElectionState(4, voted_id=1, voted_directory_id=key(1).directory_id), Role.CANDIDATE, -1),
        (ElectionState(4, voted_id=1, voted_directory_id=b"another disk...."), Role.UNATTACHED, -1),
        (ElectionState(4, voted_id=2, voted_directory_id=V2), Role.UNATTACHED, -1),
        (ElectionState(2, leader_id=2), Role.UNATTACHED, -1),  # the log is of a later epoch
        (ElectionState(3, leader_id=9), Role.UNATTACHED, 9),  # its address is not known
    ],
)
def test_a_replica_begins_as_quorum_state_says(election: ElectionState, role: Role, leader_id: int) -> None:
    quorum = Quorum(election=election)
    assert (quorum.raft.role, quorum.raft.leader_id) == (role, leader_id)
    assert quorum.raft.epoch == max(election.epoch, 3)


def test_nobody_known_asks_a_bootstrap_server() -> None:
    quorum = Quorum()
    [became, send] = quorum.effects
    assert became == Became(Role.UNATTACHED, 3, -1)
    assert isinstance(send, Send) and send.node[1:] == ("n3", 9093) and send.node.node_id == -3
    assert send.message == FetchRequest(key(1), 3, 15, 3, -1, 500, 1 << 20)


# -- the way to the lead --


def test_a_whole_election() -> None:
    quorum = Quorum()
    effects = quorum.wait(1600)
    assert effects[0] == Became(Role.PROSPECTIVE, 3, -1)
    assert [s.message for s in quorum.sent()] == [VoteRequest(key(i), 3, key(1), 3, 15, True) for i in (2, 3)]
    effects = quorum.answer(VoteResponse(LeaderHint(-1, 3), True), 2)
    # The own vote is on the disk before anybody is asked for his.
    assert effects[0] == Persist(ElectionState(4, -1, 1, key(1).directory_id))
    assert effects[1] == Became(Role.CANDIDATE, 4, -1)
    assert [s.message for s in quorum.sent()] == [VoteRequest(key(i), 4, key(1), 3, 15, False) for i in (2, 3)]
    effects = quorum.answer(VoteResponse(LeaderHint(-1, 4), True), 3)
    assert effects[0] == Persist(ElectionState(4, 1))
    assert isinstance(effects[1], AppendControl) and effects[2] == Became(Role.LEADER, 4, 1)
    [(kind, change)] = effects[1].records
    assert kind == records.CONTROL_LEADER_CHANGE
    assert [v.voter_id for v in change.granting_voters] == [1, 3]  # type: ignore[attr-defined]
    begin = [s.message for s in quorum.sent()]
    assert begin == [BeginQuorumEpochRequest(key(i), 1, 4, (endpoint(1),)) for i in (2, 3)]


def test_refused_pre_votes_change_nothing_on_the_disk() -> None:
    quorum = Quorum().prospective()
    asked = quorum.sent()
    for send in asked:
        quorum.effects = [send]
        effects = quorum.answer(VoteResponse(LeaderHint(-1, 3), False))
        assert not any(isinstance(effect, Persist) for effect in effects)
    assert quorum.raft.role is Role.UNATTACHED and quorum.raft.epoch == 3


def test_a_lost_pre_vote_goes_back_to_the_leader() -> None:
    quorum = Quorum().follower()
    assert quorum.wait(2000)[0] == Became(Role.PROSPECTIVE, 4, 2)
    assert Became(Role.FOLLOWER, 4, 2) in quorum.wait(1600)


def test_a_candidate_without_answers_tries_again_and_asks_first() -> None:
    quorum = Quorum().candidate()
    assert quorum.wait(1600)[0] == Became(Role.PROSPECTIVE, 4, -1)


def test_voters_from_before_pre_votes_are_asked_for_real() -> None:
    quorum = Quorum().prospective()
    [first, _] = quorum.sent()
    effects = quorum.step(Failed(first.request_id, errors.UNSUPPORTED_VERSION))
    assert Became(Role.CANDIDATE, 4, -1) in effects


def test_an_answer_of_a_later_epoch_ends_the_candidacy() -> None:
    quorum = Quorum().candidate()
    hint = LeaderHint(3, 6, endpoint(3))
    effects = quorum.answer(VoteResponse(hint, False, errors.FENCED_LEADER_EPOCH), 2)
    assert effects[:2] == [Persist(ElectionState(6, 3)), Became(Role.FOLLOWER, 6, 3)]


# -- Vote --


@pytest.mark.parametrize(
    ("request_", "error_code", "granted"),
    [
        (vote(4), errors.NONE, True),
        (vote(4, last=(14, 3)), errors.NONE, False),
        (vote(4, last=(99, 2)), errors.NONE, False),
        (vote(9, last=(1, 5)), errors.NONE, True),
        (vote(3, pre_vote=True), errors.NONE, True),
        (vote(3, last=(14, 3), pre_vote=True), errors.NONE, False),
        # In Kafka's order: the log's end must be possible, the epoch not old, the receiver the right one.
        (vote(4, last=(-1, 3)), errors.INVALID_REQUEST, False),
        (vote(2, last=(5, 2)), errors.INVALID_REQUEST, False),
        (vote(2, last=(5, 3), pre_vote=True), errors.INVALID_REQUEST, False),
        (vote(2, last=(5, 1)), errors.FENCED_LEADER_EPOCH, False),
        (vote(2, last=(5, 1), candidate=-1), errors.FENCED_LEADER_EPOCH, False),
        (VoteRequest(None, 4, ReplicaKey(-1), 3, 15), errors.INVALID_REQUEST, False),
        (vote(4, to=key(2)), errors.INVALID_VOTER_KEY, False),
        (vote(4, to=ReplicaKey(1, b"another disk....")), errors.INVALID_VOTER_KEY, False),
        (vote(4, to=ReplicaKey(1)), errors.NONE, True),
    ],
)
def test_vote_of_an_unattached_replica(request_: VoteRequest, error_code: int, granted: bool) -> None:
    quorum = Quorum()
    response = replied(quorum.ask(request_))
    assert (response.error_code, response.vote_granted) == (error_code, granted)
    is_voted = granted and not request_.pre_vote
    assert quorum.raft.state.voted == (request_.candidate if is_voted else None)


def test_the_vote_is_on_the_disk_before_the_answer() -> None:
    effects = Quorum().ask(vote(4))
    kinds = [type(effect) for effect in effects]
    assert kinds.index(Reply) > max(i for i, kind in enumerate(kinds) if kind is Persist)
    assert [e.state for e in effects if isinstance(e, Persist)] == [ElectionState(4), ElectionState(4, -1, 2, V2)]


def test_one_vote_in_an_epoch_and_the_same_again() -> None:
    quorum = Quorum()
    quorum.ask(vote(4))
    assert not replied(quorum.ask(vote(4, candidate=3))).vote_granted
    assert replied(quorum.ask(vote(4))).vote_granted
    again = Quorum(election=quorum.raft.stored)
    assert not replied(again.ask(vote(4, candidate=3))).vote_granted, "a restart forgets no vote"
    assert replied(again.ask(vote(4))).vote_granted


@pytest.mark.parametrize("role", ["follower", "prospective", "candidate", "leader", "resigned"])
@pytest.mark.parametrize("pre_vote", [True, False])
def test_who_votes_within_the_epoch(role: str, pre_vote: bool) -> None:
    quorum = Quorum()
    if role == "resigned":
        quorum.leader().step(Resign())
    else:
        getattr(quorum, role)()
    epoch, before = quorum.raft.epoch, quorum.raft.state
    response = replied(quorum.ask(vote(epoch, last=(99, epoch if pre_vote else epoch - 1), pre_vote=pre_vote)))
    # A leader never, and nobody a second time; a follower only while its leader has not answered it.
    expected = {"leader": False, "follower": pre_vote, "candidate": pre_vote, "resigned": pre_vote}
    if role != "prospective" or pre_vote:
        assert response.vote_granted == expected.get(role, True)
        assert quorum.raft.state is before, "nothing has changed"


def test_a_follower_that_was_answered_stands_by_its_leader() -> None:
    quorum = Quorum().follower()
    assert replied(quorum.ask(vote(4, last=(99, 3), pre_vote=True))).vote_granted
    quorum = Quorum().follower()
    quorum.answer(FetchResponse(LeaderHint(2, 4), high_watermark=15))
    assert not replied(quorum.ask(vote(4, last=(99, 3), pre_vote=True))).vote_granted


# -- BeginQuorumEpoch --


@pytest.mark.parametrize(
    ("request_", "error_code", "leader_id"),
    [
        (BeginQuorumEpochRequest(key(1), 2, 4, (endpoint(2),)), errors.NONE, 2),
        (BeginQuorumEpochRequest(None, 2, 4), errors.NONE, 2),  # v0: the voter set knows the address
        (BeginQuorumEpochRequest(key(1), 2, 2), errors.FENCED_LEADER_EPOCH, -1),
        (BeginQuorumEpochRequest(key(1), -1, 4), errors.INVALID_REQUEST, -1),
        (BeginQuorumEpochRequest(key(3), 2, 4, (endpoint(2),)), errors.INVALID_VOTER_KEY, 2),
    ],
)
def test_begin_quorum_epoch(request_: BeginQuorumEpochRequest, error_code: int, leader_id: int) -> None:
    quorum = Quorum()
    response = replied(quorum.ask(request_))
    assert isinstance(response, BeginQuorumEpochResponse)
    assert (response.error_code, response.leader.leader_id) == (error_code, leader_id)


def test_begin_is_repeated_until_the_voter_fetches() -> None:
    quorum = Quorum().candidate()
    quorum.answer(VoteResponse(LeaderHint(-1, 4), True), 2)
    for send in quorum.sent():
        assert isinstance(send.message, BeginQuorumEpochRequest)
        quorum.step(Response(send.request_id, BeginQuorumEpochResponse(LeaderHint(1, 4))))
    quorum.wait(900)
    quorum.fetch(2)
    quorum.wait(100)
    assert [s.node.node_id for s in quorum.sent()] == [3]


# -- EndQuorumEpoch, resigning --


@pytest.mark.parametrize(
    ("preferred", "backoff_ms"),
    [((1, 3), 0), ((3, 1), 500), ((3,), 1000), ((), 0)],
)
def test_the_longest_log_stands_first(preferred: tuple[int, ...], backoff_ms: float) -> None:
    quorum = Quorum().follower()
    quorum.ask(EndQuorumEpochRequest(2, 4, tuple(key(i) for i in preferred)))
    if backoff_ms:
        assert quorum.raft.role is Role.FOLLOWER
        assert Became(Role.PROSPECTIVE, 4, 2) not in quorum.wait(backoff_ms - 1)
        quorum.wait(1)
    assert quorum.raft.role is Role.PROSPECTIVE


def test_end_quorum_epoch_of_an_old_epoch() -> None:
    response = replied(Quorum().ask(EndQuorumEpochRequest(2, 2)))
    assert isinstance(response, EndQuorumEpochResponse) and response.error_code == errors.FENCED_LEADER_EPOCH


def test_a_resigned_leader_tells_until_it_is_acknowledged() -> None:
    quorum = Quorum().committed_leader()
    effects = quorum.step(Resign())
    assert effects[0] == Became(Role.RESIGNED, 4, 1)
    assert [s.message for s in quorum.sent()] == [EndQuorumEpochRequest(1, 4, (key(2), key(3)))] * 2
    told = quorum.sent()
    quorum.effects = [told[0]]
    quorum.answer(EndQuorumEpochResponse(LeaderHint(1, 4)))
    quorum.step(Failed(told[1].request_id, errors.BROKER_NOT_AVAILABLE))
    quorum.wait(30)
    assert [s.node.node_id for s in quorum.sent()] == [3]
    # After an election timeout, in a later epoch: in this one the others take it for the leader.
    assert Became(Role.UNATTACHED, 5, -1) in quorum.wait(1600)


def test_check_quorum_deposes_a_leader_that_nobody_fetches_from() -> None:
    quorum = Quorum().leader()
    quorum.wait(2000)
    quorum.fetch(2)
    quorum.wait(2900)
    assert quorum.raft.role is Role.LEADER
    assert Became(Role.RESIGNED, 4, 1) in quorum.wait(100)


def test_shutdown_hands_over() -> None:
    quorum = Quorum().committed_leader()
    assert Became(Role.RESIGNED, 4, 1) in quorum.step(Shutdown())
    assert not quorum.raft.is_shutdown_complete
    quorum.ask(BeginQuorumEpochRequest(key(1), 2, 5, (endpoint(2),)))
    assert quorum.raft.is_shutdown_complete
