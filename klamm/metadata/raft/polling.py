"""What is due by the clock, for each role; run after every input.

A role that changes is polled again in its new shape, so that the effects of one step are all there is to do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from klamm.metadata.raft import elections, following, leading, transitions
from klamm.metadata.raft.leader import Leader
from klamm.metadata.raft.roles import Candidate, Follower, Prospective, Resigned, Unattached

if TYPE_CHECKING:
    from klamm.metadata.raft.core import Raft

_TICK_MIN_MS = 1
"""A step never asks to be called again sooner: what is due now was done."""


def poll(raft: Raft, now_ms: float) -> None:
    """Do what is due, and set `deadline_ms`."""
    while True:
        before = raft.state
        deadline_ms = _poll(raft, now_ms)
        if raft.state is before:
            break
    raft.deadline_ms = max(deadline_ms, now_ms + _TICK_MIN_MS)


def _poll(raft: Raft, now_ms: float) -> float:
    state = raft.state
    if isinstance(state, Leader):
        return leading.poll(raft, state, now_ms)
    if isinstance(state, Follower):
        return following.poll(raft, state, now_ms)
    if isinstance(state, Unattached):
        return _poll_unattached(raft, state, now_ms)
    if isinstance(state, Prospective | Candidate):
        return _poll_nominee(raft, state, now_ms)
    if isinstance(state, Resigned):
        return _poll_resigned(raft, state, now_ms)
    raise TypeError(f"{state} is no role")


def _poll_unattached(raft: Raft, state: Unattached, now_ms: float) -> float:
    if not raft.may_stand:
        return following.ask_bootstrap(raft, now_ms)
    if raft.is_shutting_down:
        return math.inf
    if math.isinf(state.election_deadline_ms):  # it was an observer when it came here
        state.election_deadline_ms = raft.election_deadline_ms(now_ms)
    if now_ms >= state.election_deadline_ms or raft.is_only_voter:
        transitions.become_prospective(raft, now_ms)
        return now_ms
    return min(state.election_deadline_ms, following.ask_bootstrap(raft, now_ms))


def _poll_nominee(raft: Raft, state: Prospective | Candidate, now_ms: float) -> float:
    if now_ms >= state.election_deadline_ms and not raft.is_shutting_down:
        if isinstance(state, Prospective):
            transitions.lose_pre_vote(raft, state, now_ms)
        else:
            transitions.become_prospective(raft, now_ms)
        return now_ms
    return elections.ask_for_votes(raft, state, now_ms)


def _poll_resigned(raft: Raft, state: Resigned, now_ms: float) -> float:
    deadline_ms = elections.tell_resignation(raft, state, now_ms)
    if raft.is_shutting_down or now_ms < state.election_deadline_ms:
        return deadline_ms
    # A later epoch: in this one the others take this replica for the leader.
    transitions.become_unattached(raft, state.epoch + 1, -1, now_ms)
    return now_ms
