"""Elections: how a replica begins, and Vote, BeginQuorumEpoch and EndQuorumEpoch at both ends.

A real vote is on the disk before it is given; a PreVote changes nothing at all (KIP-996).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.metadata.raft import transitions
from klamm.metadata.raft.core import Became
from klamm.metadata.raft.election_state import NOBODY
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.raft.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    VoteRequest,
    VoteResponse,
)
from klamm.metadata.raft.roles import Candidate, Follower, Prospective, Resigned, Unattached, Votes
from klamm.metadata.raft.voters import ReplicaKey

if TYPE_CHECKING:
    from klamm.metadata.raft.core import Raft
    from klamm.metadata.raft.roles import RoleState


def start(raft: Raft, now_ms: float) -> None:
    """Begin in the role that quorum-state tells of, as Kafka does.

    Who led begins as resigned: its unsynced records may be lost, and their offsets must not be given again in the
    same epoch. Who voted for itself stands on.
    """
    election, epoch = raft.stored, raft.epoch
    deadline_ms = raft.election_deadline_ms(now_ms)
    voted = None if election.voted_id == NOBODY else ReplicaKey(election.voted_id, election.voted_directory_id)
    own_vote = voted is not None and voted.node_id == raft.node_id
    state: RoleState
    if election.epoch < epoch:
        state = Unattached(epoch, NOBODY, None, deadline_ms)
    elif election.leader_id == raft.node_id:
        state = Resigned(epoch, raft.node_id, raft.endpoints, raft.voters.ids, (), deadline_ms)
    elif own_vote and voted is not None and voted.directory_id in (raft.directory_id, bytes(16)) and raft.is_voter:
        state = Candidate(epoch, raft.key, Votes(raft.voters, raft.node_id), deadline_ms)
    elif election.leader_id != NOBODY and (endpoints := raft.voters.endpoints(election.leader_id)):
        deadline_ms = now_ms + raft.settings.fetch_timeout_ms
        state = Follower(epoch, election.leader_id, voted, endpoints, deadline_ms)
    else:
        state = Unattached(epoch, election.leader_id, voted, deadline_ms)
    raft.persist(state.election)
    raft.state = state
    raft.effects.append(Became(state.role, state.epoch, state.leader_id))


# -- Vote --


def vote(raft: Raft, request: VoteRequest, listener_name: str, now_ms: float) -> VoteResponse:
    """Answer a Vote, in Kafka's order of checks."""

    def answer(error_code: int, is_granted: bool = False) -> VoteResponse:
        return VoteResponse(raft.hint(listener_name), is_granted, error_code)

    is_illegal = request.last_epoch > request.epoch or (request.last_epoch == request.epoch and not request.pre_vote)
    if request.last_offset < 0 or request.last_epoch < 0 or is_illegal:
        return answer(errors.INVALID_REQUEST)
    if error_code := voter_only_error(raft, request.candidate.node_id, request.epoch):
        return answer(error_code)
    if request.epoch > raft.epoch:
        transitions.become_unattached(raft, request.epoch, NOBODY, now_ms)
    if not is_meant(raft, request.voter):
        return answer(errors.INVALID_VOTER_KEY)
    end = OffsetAndEpoch(request.last_offset, request.last_epoch)
    is_granted = raft.state.can_grant(request.candidate, end.order >= raft.log.end.order, request.pre_vote)
    if is_granted and not request.pre_vote and raft.state.voted is None:
        add_vote(raft, request.candidate, now_ms)
    return answer(errors.NONE, is_granted)


def add_vote(raft: Raft, candidate: ReplicaKey, now_ms: float) -> None:
    """Write the vote down. The timer begins anew: the candidate's chance is at least as good as the own one."""
    state, deadline_ms = raft.state, raft.election_deadline_ms(now_ms)
    if isinstance(state, Unattached):
        raft.enter(Unattached(state.epoch, state.leader_id, candidate, deadline_ms))
    elif isinstance(state, Prospective):
        raft.enter(Prospective(state, candidate, Votes(raft.voters, raft.node_id), deadline_ms))


def voter_only_error(raft: Raft, node_id: int, epoch: int) -> int:
    if epoch < raft.epoch:
        return errors.FENCED_LEADER_EPOCH
    return errors.INVALID_REQUEST if node_id < 0 else errors.NONE


def is_meant(raft: Raft, voter: ReplicaKey | None) -> bool:
    """Whether a request for `voter` has come to the right replica; the first versions do not say for whom it is."""
    if voter is None:
        return True
    return voter.node_id == raft.node_id and voter.directory_id in (raft.directory_id, bytes(16))


def vote_answered(raft: Raft, source_id: int, response: VoteResponse, now_ms: float) -> bool:
    handled = transitions.take_hint(raft, response.error_code, response.leader, now_ms)
    if handled is not None:
        return handled
    if response.error_code != errors.NONE:
        return False
    state = raft.state
    if isinstance(state, Prospective | Candidate) and source_id in state.votes.answers:
        state.votes.answers[source_id] = response.vote_granted
        if isinstance(state, Prospective) and state.votes.is_rejected:
            transitions.lose_pre_vote(raft, state, now_ms)
        else:
            transitions.forward(raft, now_ms)
    return True


def ask_for_votes(raft: Raft, state: Prospective | Candidate, now_ms: float) -> float:
    """Send what is still to be sent, as long as the election can be won; gives when to look again."""
    deadline_ms = state.election_deadline_ms
    if state.votes.is_rejected:
        return deadline_ms
    end = raft.log.end
    for voter in state.votes.unrecorded:
        request = VoteRequest(voter, raft.epoch, raft.key, end.epoch, end.offset, isinstance(state, Prospective))
        endpoints = raft.voters.endpoints(voter.node_id)
        deadline_ms = min(deadline_ms, transitions.send(raft, voter.node_id, endpoints, request, now_ms))
    return deadline_ms


# -- BeginQuorumEpoch, EndQuorumEpoch --


def begin_quorum_epoch(
    raft: Raft, request: BeginQuorumEpochRequest, listener_name: str, now_ms: float
) -> BeginQuorumEpochResponse:
    """A leader makes itself known."""
    if error_code := _hear_leader(raft, request, now_ms):
        return BeginQuorumEpochResponse(raft.hint(listener_name), error_code)
    error_code = errors.NONE if is_meant(raft, request.voter) else errors.INVALID_VOTER_KEY
    return BeginQuorumEpochResponse(raft.hint(listener_name), error_code)


def end_quorum_epoch(
    raft: Raft, request: EndQuorumEpochRequest, listener_name: str, now_ms: float
) -> EndQuorumEpochResponse:
    """The leader resigns: the one with the longest log stands at once, the others later and later."""
    if error_code := _hear_leader(raft, request, now_ms):
        return EndQuorumEpochResponse(raft.hint(listener_name), error_code)
    state = raft.state
    if isinstance(state, Follower) and state.leader_id == request.leader_id:
        state.fetch_deadline_ms = now_ms + _election_backoff_ms(raft, request.preferred_candidates)
    return EndQuorumEpochResponse(raft.hint(listener_name))


def _hear_leader(raft: Raft, request: BeginQuorumEpochRequest | EndQuorumEpochRequest, now_ms: float) -> int:
    """Take over what a leader says of itself; an error code where it may not say it."""
    if error_code := voter_only_error(raft, request.leader_id, request.epoch):
        return error_code
    endpoints = request.endpoints or raft.voters.endpoints(request.leader_id)
    transitions.maybe_transition(raft, request.leader_id, request.epoch, endpoints, now_ms)
    return errors.NONE


def _election_backoff_ms(raft: Raft, preferred: tuple[ReplicaKey, ...]) -> float:
    position = next((i for i, key in enumerate(preferred) if is_meant(raft, key)), len(preferred))
    backoff_max_ms = raft.settings.election_backoff_max_ms
    if position == 0 and preferred:
        return 0
    if position >= len(preferred):
        # Kafka takes an empty list for a first place.
        return backoff_max_ms if preferred else 0
    return min(backoff_max_ms, (backoff_max_ms >> (len(preferred) - 1)) << (position - 1))


def end_answered(raft: Raft, source_id: int, response: EndQuorumEpochResponse, now_ms: float) -> bool:
    handled = transitions.take_hint(raft, response.error_code, response.leader, now_ms)
    if handled is not None:
        return handled
    if response.error_code != errors.NONE:
        return False
    if isinstance(raft.state, Resigned):
        raft.state.unacknowledged.discard(source_id)
    return True


def tell_resignation(raft: Raft, state: Resigned, now_ms: float) -> float:
    """EndQuorumEpoch to every voter that has not acknowledged it; gives when to look again."""
    deadline_ms = state.election_deadline_ms
    request = EndQuorumEpochRequest(raft.node_id, state.epoch, state.preferred)
    for voter_id in sorted(state.unacknowledged):
        endpoints = raft.voters.endpoints(voter_id)
        deadline_ms = min(deadline_ms, transitions.send(raft, voter_id, endpoints, request, now_ms))
    return deadline_ms
