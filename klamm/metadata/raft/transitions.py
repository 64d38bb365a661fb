"""Changes of role, and what every request and answer can cause: a later epoch, or a leader that was not known.

Within an epoch the vote is kept, and a leader that is known never changes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.metadata.raft.connections import Node
from klamm.metadata.raft.core import RaftError
from klamm.metadata.raft.election_state import NOBODY
from klamm.metadata.raft.exchange import Send
from klamm.metadata.raft.leader import Leader
from klamm.metadata.raft.roles import Candidate, Follower, Prospective, Resigned, Role, Unattached, Votes
from klamm.metadata.raft.voters import endpoint_of

if TYPE_CHECKING:
    from klamm.metadata.raft.core import Raft
    from klamm.metadata.raft.messages import LeaderHint, RaftRequest
    from klamm.metadata.raft.voters import VoterEndpoint


def become_unattached(raft: Raft, epoch: int, leader_id: int, now_ms: float) -> None:
    """A later epoch without a leader that can be fetched from; or from Prospective, in the same one."""
    before = raft.state
    if not raft.may_stand:
        deadline_ms = math.inf
    elif isinstance(before, Candidate | Unattached | Resigned):
        # The election timer goes on: a replica that loses every election must not put off its next one for ever.
        deadline_ms = before.election_deadline_ms
    elif isinstance(before, Prospective) and not before.votes.is_rejected:
        deadline_ms = before.election_deadline_ms
    else:
        deadline_ms = raft.election_deadline_ms(now_ms)
    voted = before.voted if epoch == before.epoch else None
    if math.isinf(deadline_ms) and raft.may_stand:
        deadline_ms = raft.election_deadline_ms(now_ms)
    raft.enter(Unattached(epoch, leader_id, voted, deadline_ms))
    raft.connections.reset_all()


def become_follower(
    raft: Raft, epoch: int, leader_id: int, endpoints: tuple[VoterEndpoint, ...], now_ms: float
) -> None:
    before = raft.state
    if not endpoints:
        # Nobody to fetch from: the leader will say where it is (BeginQuorumEpoch), or a bootstrap server does.
        if epoch > before.epoch:
            become_unattached(raft, epoch, NOBODY, now_ms)
        return
    if leader_id == raft.node_id or epoch < before.epoch or (epoch == before.epoch and isinstance(before, Leader)):
        raise RaftError(f"node {raft.node_id} in epoch {before.epoch} is to follow {leader_id} in epoch {epoch}")
    voted = before.voted if epoch == before.epoch else None
    raft.enter(Follower(epoch, leader_id, voted, endpoints, now_ms + raft.settings.fetch_timeout_ms))
    raft.connections.reset_all()


def become_prospective(raft: Raft, now_ms: float) -> None:
    """Ask the others first. Nothing is written: nothing that must outlive a crash has changed."""
    before = raft.state
    votes = Votes(raft.voters, raft.node_id)
    raft.enter(Prospective(before, before.voted, votes, raft.election_deadline_ms(now_ms)), is_persisted=False)
    raft.connections.reset_all()
    forward(raft, now_ms)


def become_candidate(raft: Raft, now_ms: float) -> None:
    """A new epoch, with the own vote on the disk before anybody is asked for his."""
    votes = Votes(raft.voters, raft.node_id)
    raft.enter(Candidate(raft.epoch + 1, raft.key, votes, raft.election_deadline_ms(now_ms)))
    raft.connections.reset_all()
    forward(raft, now_ms)


def forward(raft: Raft, now_ms: float) -> None:
    """A nominee with a majority goes on."""
    state = raft.state
    if isinstance(state, Prospective) and state.votes.is_granted:
        become_candidate(raft, now_ms)
    elif isinstance(state, Candidate) and state.votes.is_granted:
        raft.become_leader(state.epoch, state.votes.granting, now_ms)


def lose_pre_vote(raft: Raft, state: Prospective, now_ms: float) -> None:
    """Back to the leader that was followed, if there was one, for another fetch timeout."""
    if state.leader_id != NOBODY and state.endpoints:
        become_follower(raft, state.epoch, state.leader_id, state.endpoints, now_ms)
    else:
        become_unattached(raft, state.epoch, state.leader_id, now_ms)


def maybe_transition(
    raft: Raft, leader_id: int, epoch: int, endpoints: tuple[VoterEndpoint, ...], now_ms: float
) -> None:
    """Somebody knows this epoch and leader. Raises RaftError for another leader of the own epoch."""
    state = raft.state
    if leader_id == raft.node_id:
        is_consistent = state.role is Role.LEADER
    else:
        is_consistent = epoch != state.epoch or NOBODY in (leader_id, state.leader_id) or leader_id == state.leader_id
    if not is_consistent:
        raise RaftError(
            f"node {raft.node_id} knows leader {state.leader_id} in epoch {state.epoch}, "
            f"and is told of {leader_id} in epoch {epoch}"
        )
    if epoch > state.epoch:
        if leader_id == NOBODY:
            become_unattached(raft, epoch, NOBODY, now_ms)
        else:
            become_follower(raft, epoch, leader_id, endpoints, now_ms)
    elif leader_id not in (NOBODY, raft.node_id):
        if state.leader_id != NOBODY and len(endpoints) <= len(state.endpoints):
            return
        become_follower(raft, epoch, leader_id, endpoints, now_ms)


def take_hint(raft: Raft, error_code: int, hint: LeaderHint, now_ms: float) -> bool | None:
    """What the epoch and leader in an answer mean. None: the answer itself is still to be looked at; else whether the
    request counts as answered.
    """
    endpoints = (hint.endpoint,) if hint.endpoint is not None else raft.voters.endpoints(hint.leader_id)
    if hint.epoch < raft.epoch or error_code == errors.UNKNOWN_LEADER_EPOCH:
        return True
    if hint.epoch > raft.epoch or error_code in (errors.FENCED_LEADER_EPOCH, errors.NOT_LEADER_OR_FOLLOWER):
        maybe_transition(raft, hint.leader_id, hint.epoch, endpoints, now_ms)
        return True
    # quorum-state may name a leader whose address nobody has told yet.
    is_lost = raft.leader_id == NOBODY or (raft.role is Role.UNATTACHED and raft.leader_id == hint.leader_id)
    if is_lost and hint.leader_id not in (NOBODY, raft.node_id):
        # An observer may find its leader with the very fetch that the leader answers.
        become_follower(raft, hint.epoch, hint.leader_id, endpoints, now_ms)
        return None if error_code == errors.NONE and raft.role is Role.FOLLOWER else True
    if error_code == errors.BROKER_NOT_AVAILABLE:
        return False
    if error_code in (errors.INVALID_VOTER_KEY, errors.INVALID_REQUEST):
        return error_code == errors.INVALID_VOTER_KEY
    return None


def send(raft: Raft, node_id: int, endpoints: tuple[VoterEndpoint, ...], message: RaftRequest, now_ms: float) -> float:
    """Send a request to a replica if it is ready for one; gives when to look again."""
    endpoint = endpoint_of(endpoints, raft.settings.listener_name)
    if endpoint is None:
        return math.inf
    return send_to(raft, Node(node_id, endpoint.host, endpoint.port), message, now_ms)


def send_to(raft: Raft, node: Node, message: RaftRequest, now_ms: float) -> float:
    """The same, to a node whose address is known already."""
    connections = raft.connections
    until_ms = connections.backoff_until_ms(node.node_id, now_ms)
    if until_ms is not None:
        return until_ms
    if connections.is_ready(node.node_id, now_ms):
        raft.effects.append(Send(node, connections.begin(node, now_ms), message))
    return connections.deadline_ms(node.node_id)
