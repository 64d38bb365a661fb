"""The roles of a replica that does not lead, each with what it must know. `leader.py` has the leader's.

`voted` is kept through every change of role within an epoch: with it a replica votes once in an epoch, and no more.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from klamm.metadata.raft.election_state import NOBODY, ElectionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from klamm.metadata.raft.log_index import OffsetAndEpoch
    from klamm.metadata.raft.voters import ReplicaKey, VoterEndpoint, VoterSet


class Role(Enum):
    """What a replica is at the moment. One that may not vote is an observer in any of the first two."""

    UNATTACHED = "unattached"
    """Knows an epoch, and nobody to fetch from."""
    FOLLOWER = "follower"
    """Fetches from a leader."""
    PROSPECTIVE = "prospective"
    """Asks whether it would be elected (PreVote, KIP-996)."""
    CANDIDATE = "candidate"
    LEADER = "leader"
    RESIGNED = "resigned"
    """Was leader and leads no more; takes no appends in this epoch."""


class RoleState:
    """What every role has. `leader_id` is -1 while unknown; `endpoints`: where that leader's controller listens."""

    __slots__ = ("endpoints", "epoch", "leader_id", "voted")
    role: ClassVar[Role]

    def __init__(
        self,
        epoch: int,
        leader_id: int = NOBODY,
        voted: ReplicaKey | None = None,
        endpoints: tuple[VoterEndpoint, ...] = (),
    ) -> None:
        self.epoch = epoch
        self.leader_id = leader_id
        self.voted = voted
        self.endpoints = endpoints

    @property
    def election(self) -> ElectionState:
        """What quorum-state must say."""
        if self.voted is None:
            return ElectionState(self.epoch, self.leader_id)
        return ElectionState(self.epoch, self.leader_id, self.voted.node_id, self.voted.directory_id)

    def can_grant(self, candidate: ReplicaKey, is_log_up_to_date: bool, is_pre_vote: bool) -> bool:
        """Whether `candidate` may have this replica's vote in its epoch, or would have it."""
        return is_pre_vote and is_log_up_to_date


class Unattached(RoleState):
    __slots__ = ("election_deadline_ms",)
    role = Role.UNATTACHED

    def __init__(
        self,
        epoch: int,
        leader_id: int = NOBODY,
        voted: ReplicaKey | None = None,
        election_deadline_ms: float = math.inf,
    ) -> None:
        super().__init__(epoch, leader_id, voted)
        self.election_deadline_ms = election_deadline_ms

    def can_grant(self, candidate: ReplicaKey, is_log_up_to_date: bool, is_pre_vote: bool) -> bool:
        return _can_grant_without_leader(self, candidate, is_log_up_to_date, is_pre_vote)


def _can_grant_without_leader(
    state: RoleState, candidate: ReplicaKey, is_log_up_to_date: bool, is_pre_vote: bool
) -> bool:
    if is_pre_vote:
        return is_log_up_to_date
    if state.voted is not None:
        # A static voter's directory was not written down: its id is all there is to compare.
        return state.voted.node_id == candidate.node_id and state.voted.directory_id in (
            candidate.directory_id,
            bytes(16),
        )
    return state.leader_id == NOBODY and is_log_up_to_date


class Votes:
    """The answers to one election, by voter id; `None` while a voter has not answered."""

    __slots__ = ("answers", "keys")

    def __init__(self, voters: VoterSet, own_id: int) -> None:
        self.keys = {voter.node_id: voter.key for voter in voters.voters}
        self.answers: dict[int, bool | None] = dict.fromkeys(self.keys)
        if own_id in self.answers:
            self.answers[own_id] = True

    @property
    def granting(self) -> tuple[int, ...]:
        return tuple(node_id for node_id, answer in self.answers.items() if answer)

    @property
    def unrecorded(self) -> list[ReplicaKey]:
        return [self.keys[node_id] for node_id, answer in self.answers.items() if answer is None]

    @property
    def is_granted(self) -> bool:
        return len(self.granting) >= self._majority

    @property
    def is_rejected(self) -> bool:
        """Whether no majority can come together any more."""
        return sum(answer is not False for answer in self.answers.values()) < self._majority

    @property
    def _majority(self) -> int:
        return len(self.answers) // 2 + 1


class Prospective(RoleState):
    __slots__ = ("election_deadline_ms", "votes")
    role = Role.PROSPECTIVE

    def __init__(self, before: RoleState, voted: ReplicaKey | None, votes: Votes, election_deadline_ms: float) -> None:
        super().__init__(before.epoch, before.leader_id, voted, before.endpoints)
        self.votes = votes
        self.election_deadline_ms = election_deadline_ms

    def can_grant(self, candidate: ReplicaKey, is_log_up_to_date: bool, is_pre_vote: bool) -> bool:
        return _can_grant_without_leader(self, candidate, is_log_up_to_date, is_pre_vote)


class Candidate(RoleState):
    __slots__ = ("election_deadline_ms", "votes")
    role = Role.CANDIDATE

    def __init__(self, epoch: int, own: ReplicaKey, votes: Votes, election_deadline_ms: float) -> None:
        super().__init__(epoch, NOBODY, own)
        self.votes = votes
        self.election_deadline_ms = election_deadline_ms


class Follower(RoleState):
    """`fetching`: the snapshot that is being copied and how much of it is here; `is_loading`: all of it is."""

    __slots__ = (
        "fetch_deadline_ms",
        "fetching",
        "has_fetched",
        "has_updated_leader",
        "is_loading",
        "update_voter_deadline_ms",
    )
    role = Role.FOLLOWER

    def __init__(
        self,
        epoch: int,
        leader_id: int,
        voted: ReplicaKey | None,
        endpoints: tuple[VoterEndpoint, ...],
        deadline_ms: float,
    ) -> None:
        super().__init__(epoch, leader_id, voted, endpoints)
        self.fetch_deadline_ms = deadline_ms
        # Kafka looks whether its entry in the voter set is right once in a fetch timeout.
        self.update_voter_deadline_ms = deadline_ms
        self.has_fetched = False
        self.has_updated_leader = False
        self.fetching: tuple[OffsetAndEpoch, int] | None = None
        self.is_loading = False

    def can_grant(self, candidate: ReplicaKey, is_log_up_to_date: bool, is_pre_vote: bool) -> bool:
        """A follower that its leader has answered stands by it, else a cut-off replica could end a working epoch."""
        return is_pre_vote and not self.has_fetched and is_log_up_to_date


class Resigned(RoleState):
    """`preferred`: who should stand next, the longest log first; `unacknowledged`: voters that do not know yet."""

    __slots__ = ("election_deadline_ms", "preferred", "unacknowledged")
    role = Role.RESIGNED

    def __init__(
        self,
        epoch: int,
        node_id: int,
        endpoints: tuple[VoterEndpoint, ...],
        voter_ids: Iterable[int],
        preferred: Sequence[ReplicaKey],
        election_deadline_ms: float,
    ) -> None:
        super().__init__(epoch, node_id, None, endpoints)
        self.unacknowledged = {voter_id for voter_id in voter_ids if voter_id != node_id}
        self.preferred = tuple(preferred)
        self.election_deadline_ms = election_deadline_ms
