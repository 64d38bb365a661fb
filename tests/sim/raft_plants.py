"""Planted bugs: each takes one rule out of the core, in a test only, and the checkers must find it.

A checker that has never failed proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from klamm.metadata.raft import elections, following, roles, voter_changes
from klamm.metadata.raft.core import Raft
from klamm.metadata.raft.leader import Leader
from klamm.metadata.raft.log_index import VALID, LogIndex, OffsetAndEpoch


def _vote_twice(state: Any, candidate: Any, is_log_up_to_date: bool, is_pre_vote: bool) -> bool:
    return is_log_up_to_date


def _skip_the_persist(raft: Raft, election: Any) -> None:
    raft.stored = election


def _commit_by_counting(leader: Leader) -> bool:
    offset = leader.majority_offset()
    if offset <= leader.high_watermark:
        return False
    leader.high_watermark = offset
    return True


def _no_truncation_check(log: LogIndex, offset: int, epoch: int) -> tuple[int, OffsetAndEpoch]:
    return VALID, OffsetAndEpoch(offset, epoch)


def _truncate_too_little(log: LogIndex, diverging: OffsetAndEpoch) -> int:
    return log.end_offset


def _apply_all(raft: Raft, high_watermark: int) -> None:
    raft.commit(raft.log.end_offset)


def _never(*_: Any) -> bool:
    return False


def _always(*_: Any) -> bool:
    return True


def _pre_vote_is_a_vote(raft: Raft, request: Any, *rest: Any, original: Any = elections.vote) -> Any:
    response = original(raft, request, *rest)
    if response.vote_granted and request.pre_vote and raft.state.voted is None:
        elections.add_vote(raft, request.candidate, rest[-1])
    return response


def _shorter_log_may_win(raft: Raft, request: Any, *rest: Any, original: Any = elections.vote) -> Any:
    end = raft.log.end
    return original(raft, request._replace(last_offset=max(end.offset, request.last_offset)), *rest)


def _as_voter(raft: Raft) -> bool:
    return raft.is_voter


Plant = tuple[object, str, Callable[..., Any] | property]

PLANTS: dict[str, tuple[Plant, ...]] = {
    "vote twice": ((roles, "_can_grant_without_leader", _vote_twice),),
    "skip the persist": ((Raft, "persist", _skip_the_persist),),
    "commit an old epoch by counting": ((Leader, "advance", _commit_by_counting),),
    "no truncation check": ((LogIndex, "validate", _no_truncation_check),),
    "truncate too little": ((LogIndex, "truncation_offset", _truncate_too_little),),
    "apply beyond the high watermark": ((following, "advance", _apply_all),),
    "two voter changes at once": (
        (voter_changes, "is_pending", _never),
        (voter_changes, "are_voters_committed", _always),
    ),
    "PreVote changes state": ((elections, "vote", _pre_vote_is_a_vote),),
    "a shorter log may win": ((elections, "vote", _shorter_log_may_win),),
    "fetch on before the sync": ((following, "_may_fetch", _always),),
    "only voters stand": ((Raft, "may_stand", property(_as_voter)),),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The core with that bug."""
    patches = [mock.patch.object(target, attribute, broken) for target, attribute, broken in PLANTS[name]]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
