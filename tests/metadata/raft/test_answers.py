"""What any answer can cause, whatever was asked: a later epoch, a leader found, a pause, a second leader."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.metadata.raft.core import Became, Persist, RaftError, RaftSettings
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.exchange import Failed, Response
from klamm.metadata.raft.messages import (
    AddRaftVoterResponse,
    BeginQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    LeaderHint,
    UpdateRaftVoterRequest,
    UpdateRaftVoterResponse,
    VoteResponse,
)
from klamm.metadata.raft.roles import Role
from tests.metadata.raft.quorum import Quorum, endpoint, key

TO_2 = LeaderHint(2, 3, endpoint(2))


@pytest.mark.parametrize(
    ("hint", "error_code", "role", "epoch", "leader_id"),
    [
        (TO_2, errors.NOT_LEADER_OR_FOLLOWER, Role.FOLLOWER, 3, 2),
        (TO_2, errors.NONE, Role.FOLLOWER, 3, 2),
        (TO_2._replace(endpoint=None), errors.NOT_LEADER_OR_FOLLOWER, Role.FOLLOWER, 3, 2),  # the voter set knows
        (LeaderHint(2, 5, endpoint(2)), errors.FENCED_LEADER_EPOCH, Role.FOLLOWER, 5, 2),
        (LeaderHint(2, 5, endpoint(2)), errors.NONE, Role.FOLLOWER, 5, 2),
        (LeaderHint(-1, 5), errors.FENCED_LEADER_EPOCH, Role.UNATTACHED, 5, -1),
        (LeaderHint(9, 5), errors.FENCED_LEADER_EPOCH, Role.UNATTACHED, 5, -1),  # nobody knows where it is
        (LeaderHint(2, 2, endpoint(2)), errors.NOT_LEADER_OR_FOLLOWER, Role.UNATTACHED, 3, -1),
        (LeaderHint(2, 5, endpoint(2)), errors.UNKNOWN_LEADER_EPOCH, Role.UNATTACHED, 3, -1),
        (LeaderHint(-1, 3), errors.BROKER_NOT_AVAILABLE, Role.UNATTACHED, 3, -1),
        (LeaderHint(-1, 3), errors.INVALID_REQUEST, Role.UNATTACHED, 3, -1),
    ],
)
def test_the_epoch_and_leader_of_an_answer(
    hint: LeaderHint, error_code: int, role: Role, epoch: int, leader_id: int
) -> None:
    quorum = Quorum()
    effects = quorum.answer(FetchResponse(hint, error_code))
    raft = quorum.raft
    assert (raft.role, raft.epoch, raft.leader_id) == (role, epoch, leader_id)
    persisted = [effect.state for effect in effects if isinstance(effect, Persist)]
    assert persisted == ([ElectionState(epoch, leader_id)] if (epoch, leader_id) != (3, -1) else [])


def test_a_leader_without_an_address_is_found_by_its_own_answer() -> None:
    quorum = Quorum(election=ElectionState(3, leader_id=9))
    assert quorum.raft.state_name == "unattached"
    quorum.answer(FetchResponse(LeaderHint(9, 3, endpoint(9))))
    assert (quorum.raft.role, quorum.raft.leader_id) == (Role.FOLLOWER, 9)


def test_a_second_leader_in_an_epoch_stops_the_node() -> None:
    quorum = Quorum().follower()
    with pytest.raises(RaftError):
        quorum.ask(BeginQuorumEpochRequest(key(1), 3, 4, (endpoint(3),)))
    with pytest.raises(RaftError):
        Quorum().follower().answer(FetchResponse(LeaderHint(1, 4, endpoint(1)), errors.NOT_LEADER_OR_FOLLOWER))


def test_a_failed_request_is_repeated_after_the_backoff() -> None:
    quorum = Quorum().follower()
    [send] = quorum.sent()
    quorum.step(Failed(send.request_id, errors.BROKER_NOT_AVAILABLE))
    [other] = quorum.sent()
    assert other.node.node_id < 0, "meanwhile somebody else may know a leader"
    quorum.now_ms += 20
    quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2)), errors.NOT_LEADER_OR_FOLLOWER))
    assert [s.node.node_id for s in quorum.sent()] == [2]


def test_an_answer_that_nobody_awaits_is_nobodys() -> None:
    quorum = Quorum()
    [send] = quorum.sent()
    quorum.follower()  # the role has changed, what was asked before is forgotten
    before = quorum.raft.state
    quorum.step(Response(send.request_id, FetchResponse(LeaderHint(3, 9, endpoint(3)))))
    assert quorum.raft.state is before


@pytest.mark.parametrize("error_code", [errors.NONE, errors.FENCED_LEADER_EPOCH])
def test_votes_for_a_past_epoch_do_not_count(error_code: int) -> None:
    quorum = Quorum().candidate()
    quorum.answer(VoteResponse(LeaderHint(-1, 3), True, error_code), 2)
    assert quorum.raft.role is Role.CANDIDATE


def test_begin_answered_from_a_later_epoch_deposes() -> None:
    quorum = Quorum().candidate()
    quorum.answer(VoteResponse(LeaderHint(-1, 4), True), 2)
    [first, _] = quorum.sent()
    effects = quorum.step(
        Response(first.request_id, EndQuorumEpochResponse(LeaderHint(3, 7, endpoint(3)), errors.FENCED_LEADER_EPOCH))
    )
    assert Became(Role.FOLLOWER, 7, 3) in effects


def waiting_for_its_update(quorum: Quorum) -> Any:
    """A follower whose fetches are answered until it tells about itself."""
    for _ in range(4):
        [send] = quorum.sent()
        if not isinstance(send.message, FetchRequest):
            return send
        quorum.now_ms += 700
        quorum.effects = [send]
        quorum.answer(FetchResponse(LeaderHint(2, 4, endpoint(2)), high_watermark=-1))
    raise AssertionError("it never tells")


@pytest.mark.parametrize("error_code", [errors.NONE, errors.UNSUPPORTED_VERSION])
def test_a_static_voter_tells_about_itself_once(error_code: int) -> None:
    quorum = Quorum(kraft_version=0).follower()
    send = waiting_for_its_update(quorum)
    assert isinstance(send.message, UpdateRaftVoterRequest)
    quorum.step(Response(send.request_id, UpdateRaftVoterResponse(LeaderHint(2, 4, endpoint(2)), error_code)))
    with pytest.raises(AssertionError, match="never"):
        waiting_for_its_update(quorum)


@pytest.mark.parametrize(
    ("error_code", "is_fine"),
    [
        (errors.NONE, True),
        (errors.DUPLICATE_VOTER, True),
        (errors.REQUEST_TIMED_OUT, True),
        (errors.UNSUPPORTED_VERSION, False),
    ],
)
def test_auto_join_tries_again_after_a_while(error_code: int, is_fine: bool) -> None:
    quorum = Quorum((2, 3), settings=RaftSettings(auto_join=True))
    quorum.ask(BeginQuorumEpochRequest(None, 2, 4, (endpoint(2),)))
    send = waiting_for_its_update(quorum)
    quorum.step(Response(send.request_id, AddRaftVoterResponse(error_code)))
    [after] = quorum.sent()
    assert isinstance(after.message, FetchRequest) and (after.node.node_id == 2) == is_fine
