"""The leader's state: how far each voter is, what is committed, and which requests wait.

Nothing of an earlier epoch commits by counting: a majority must hold a record of the leader's own epoch (Raft §5.4.2).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from klamm.metadata.raft.roles import Role, RoleState

if TYPE_CHECKING:
    from klamm.metadata.raft.leading import ParkedFetch
    from klamm.metadata.raft.voter_changes import VoterChange
    from klamm.metadata.raft.voters import ReplicaKey, VoterEndpoint, VoterSet

UNKNOWN = -1
OBSERVER_SESSION_TIMEOUT_MS = 300_000
CHECK_QUORUM_FACTOR = 1.5
"""A leader that a majority has not fetched from for so many fetch timeouts resigns."""
CAUGHT_UP_WITHIN_MS = 3_600_000
"""A replica may become a voter if it fetched so recently and was at the log's end once."""


class Progress:
    """One replica as the leader sees it. Times are monotonic; minus infinity before the first fetch."""

    __slots__ = ("end_offset", "key", "last_caught_up_ms", "last_fetch_leader_end", "last_fetch_ms")

    def __init__(self, key: ReplicaKey) -> None:
        self.key = key
        self.end_offset = UNKNOWN
        self.last_fetch_ms = -math.inf
        self.last_caught_up_ms = -math.inf
        self.last_fetch_leader_end = UNKNOWN

    def matches(self, key: ReplicaKey) -> bool:
        return self.key.node_id == key.node_id and self.key.directory_id in (key.directory_id, bytes(16))

    def fetched(self, offset: int, leader_end_offset: int, now_ms: float) -> None:
        """It has everything below `offset` on its disk."""
        if offset >= leader_end_offset:
            self.last_caught_up_ms = max(self.last_caught_up_ms, now_ms)
        elif 0 < self.last_fetch_leader_end <= offset:
            self.last_caught_up_ms = max(self.last_caught_up_ms, self.last_fetch_ms)
        self.last_fetch_leader_end = leader_end_offset
        self.last_fetch_ms = max(self.last_fetch_ms, now_ms)
        self.end_offset = offset


class Leader(RoleState):
    """`high_watermark` is -1 until this epoch has one. `static_voters`: what the voters of kraft.version 0 told about
    themselves, which is what an upgrade to 1 writes; None once it is under way, or not needed.
    """

    __slots__ = (
        "begin_epoch_deadline_ms",
        "change",
        "check_quorum_deadline_ms",
        "epoch_start_offset",
        "fetched",
        "high_watermark",
        "is_resigning",
        "node_id",
        "observers",
        "parked",
        "static_voters",
        "voters",
    )
    role = Role.LEADER

    def __init__(
        self,
        epoch: int,
        own: ReplicaKey,
        endpoints: tuple[VoterEndpoint, ...],
        voters: VoterSet,
        epoch_start_offset: int,
    ) -> None:
        super().__init__(epoch, own.node_id, None, endpoints)
        self.node_id = own.node_id
        self.epoch_start_offset = epoch_start_offset
        self.high_watermark = UNKNOWN
        self.voters = {voter.node_id: Progress(voter.key) for voter in voters.voters}
        self.observers: dict[ReplicaKey, Progress] = {}
        self.fetched: set[int] = set()
        self.parked: list[ParkedFetch] = []
        self.change: VoterChange | None = None
        self.static_voters: VoterSet | None = None
        self.is_resigning = False
        self.begin_epoch_deadline_ms = -math.inf
        self.check_quorum_deadline_ms = math.inf

    def can_grant(self, candidate: ReplicaKey, is_log_up_to_date: bool, is_pre_vote: bool) -> bool:
        return False

    def progress(self, key: ReplicaKey) -> Progress:
        """What is known of that replica, which is an observer unless it is a voter."""
        voter = self.voters.get(key.node_id)
        if voter is not None and voter.matches(key):
            return voter
        observer = self.observers.get(key)
        if observer is None:
            observer = self.observers[key] = Progress(key)
        return observer

    def is_voter(self, key: ReplicaKey) -> bool:
        voter = self.voters.get(key.node_id)
        return voter is not None and voter.matches(key)

    def advance(self) -> bool:
        """Move the high watermark to what a majority has on its disks; whether it moved."""
        offset = self.majority_offset()
        if offset <= self.epoch_start_offset or offset <= self.high_watermark:
            return False
        self.high_watermark = offset
        return True

    def majority_offset(self) -> int:
        ends = sorted((voter.end_offset for voter in self.voters.values()), reverse=True)
        return ends[len(ends) // 2] if ends else UNKNOWN

    def heard_from(self, key: ReplicaKey, now_ms: float, timeout_ms: float) -> None:
        """Check quorum: the timer begins anew whenever a majority, the leader included, has been heard from.

        An only voter is a majority by himself: observers renew the timer for the day when one of them votes, too.
        """
        if key.node_id == self.node_id:
            return
        if self.is_voter(key):
            self.fetched.add(key.node_id)
        majority = len(self.voters) // 2 + 1 - (self.node_id in self.voters)
        if len(self.fetched) >= majority:
            self.fetched.clear()
            self.check_quorum_deadline_ms = now_ms + timeout_ms * CHECK_QUORUM_FACTOR

    def is_caught_up(self, key: ReplicaKey, now_ms: float) -> bool:
        observer = self.observers.get(key)
        if observer is None:
            return False
        return observer.last_caught_up_ms > -math.inf and observer.last_fetch_ms > now_ms - CAUGHT_UP_WITHIN_MS

    def update_voters(self, voters: VoterSet) -> None:
        """The voter set has changed: who came was an observer, who went is one."""
        before, self.voters = self.voters, {}
        for voter in voters.voters:
            known = before.get(voter.node_id)
            if known is None or not known.matches(voter.key):
                known = self.observers.pop(voter.key, None) or Progress(voter.key)
            else:
                del before[voter.node_id]
            known.key = voter.key
            self.voters[voter.node_id] = known
        for progress in before.values():
            self.observers.setdefault(progress.key, progress)
        self.fetched &= set(self.voters)

    def forget_silent_observers(self, now_ms: float) -> None:
        self.observers = {
            key: observer
            for key, observer in self.observers.items()
            if now_ms - observer.last_fetch_ms < OBSERVER_SESSION_TIMEOUT_MS or key.node_id == self.node_id
        }

    def by_log_end(self) -> list[ReplicaKey]:
        """The other voters, the longest log first."""
        ordered = sorted(self.voters.values(), key=lambda voter: (-voter.end_offset, voter.key))
        return [voter.key for voter in ordered if voter.key.node_id != self.node_id]
