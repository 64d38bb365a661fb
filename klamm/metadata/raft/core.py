"""The Raft core as values: an input goes in, a list of effects comes out.

The order of the effects is the durability contract: each one is done, and synced where it says so, before the next.
No clock, no I/O. A quorum of one elects itself at once, as a real node does; what several voters say to each other is
input and effects of the same kind.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeAlias

from klamm.kproto import records
from klamm.kproto.control_records import KRaftVersionRecord, LeaderChangeMessage
from klamm.kproto.control_records import Voter as VoterId
from klamm.kproto.schema import Message
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.voters import Voter, VoterSet


class Role(Enum):
    """What a replica is at the moment."""

    UNATTACHED = "unattached"
    """Knows an epoch, no leader."""
    CANDIDATE = "candidate"
    LEADER = "leader"
    RESIGNED = "resigned"
    """Was leader and leads no more; takes no appends in this epoch."""


# Inputs.


class Started(NamedTuple):
    """The log and the files have been read; nothing was said or written yet in this life."""


class Synced(NamedTuple):
    """Everything below `offset` is on this replica's disk."""

    offset: int


class Propose(NamedTuple):
    """The state machine wants records appended: a whole `batch` whose offset and epoch are still open."""

    batch: bytes
    record_count: int


class UpdateVoter(NamedTuple):
    """This voter listens elsewhere than the voter set says."""

    voter: Voter


class Resign(NamedTuple):
    """Lead no more."""


Input: TypeAlias = Started | Synced | Propose | UpdateVoter | Resign

# Effects.


class Persist(NamedTuple):
    """Write quorum-state and sync it."""

    state: ElectionState


class AppendControl(NamedTuple):
    """Append control records, (type id, body), as one batch with this leader epoch."""

    epoch: int
    records: tuple[tuple[int, Message], ...]


class Append(NamedTuple):
    """Append a batch of the state machine with this leader epoch."""

    epoch: int
    batch: bytes


class Commit(NamedTuple):
    """The high watermark: everything below `offset` is committed."""

    offset: int


class Became(NamedTuple):
    """The role, or the leader, has changed."""

    role: Role
    epoch: int
    leader_id: int


Effect: TypeAlias = Persist | AppendControl | Append | Commit | Became


class NotLeader(Exception):
    """An input that only a leader can take."""


class Raft:
    """One replica. `epoch` is the highest of quorum-state and log; `end_offset` the log's end, kept in step here.

    `has_voters_in_log`: false when the voter set is known from the 0-0 checkpoint only; the first leader then writes
    it into the log, where other replicas find it (KIP-853).
    """

    def __init__(
        self,
        node_id: int,
        directory_id: bytes,
        *,
        voters: VoterSet,
        kraft_version: int,
        has_voters_in_log: bool,
        epoch: int,
        end_offset: int,
    ) -> None:
        self.node_id = node_id
        self.directory_id = directory_id
        self.voters = voters
        self.kraft_version = kraft_version
        self.role = Role.UNATTACHED
        self.epoch = epoch
        self.leader_id = -1
        self.end_offset = end_offset
        self.high_watermark = 0
        self._has_voters_in_log = has_voters_in_log
        self._epoch_start_offset = end_offset

    def step(self, now_ms: float, event: Input) -> list[Effect]:
        """Take one input. `now_ms` is monotonic. Raises NotLeader."""
        if isinstance(event, Synced):
            return self._synced(event.offset)
        if isinstance(event, Propose):
            self._check_leader()
            self.end_offset += event.record_count
            return [Append(self.epoch, event.batch)]
        if isinstance(event, Started):
            return self._start()
        if isinstance(event, UpdateVoter):
            return self._update_voter(event.voter)
        return self._resign()

    def _start(self) -> list[Effect]:
        if not self.voters.is_only(self.node_id, self.directory_id):
            return [Became(self.role, self.epoch, self.leader_id)]
        # The only vote is our own and nobody waits for it: candidate and leader of the new epoch are one write.
        self.role = Role.LEADER
        self.epoch += 1
        self.leader_id = self.node_id
        self._epoch_start_offset = self.end_offset
        control = self._start_of_epoch()
        self.end_offset += len(control)
        return [
            Became(Role.CANDIDATE, self.epoch, -1),
            Persist(ElectionState(self.epoch, self.leader_id)),
            AppendControl(self.epoch, control),
            Became(Role.LEADER, self.epoch, self.leader_id),
        ]

    def _start_of_epoch(self) -> tuple[tuple[int, Message], ...]:
        change = LeaderChangeMessage(
            version=0,
            leader_id=self.node_id,
            voters=[VoterId(voter_id=voter.node_id) for voter in self.voters.voters],
            granting_voters=[VoterId(voter_id=self.node_id)],
        )
        control: tuple[tuple[int, Message], ...] = ((records.CONTROL_LEADER_CHANGE, change),)
        if self.kraft_version > 0 and not self._has_voters_in_log:
            self._has_voters_in_log = True
            version = KRaftVersionRecord(version=0, k_raft_version=self.kraft_version)
            control += (
                (records.CONTROL_KRAFT_VERSION, version),
                (records.CONTROL_KRAFT_VOTERS, self.voters.to_record()),
            )
        return control

    def _synced(self, offset: int) -> list[Effect]:
        # A leader commits what is of its own epoch; with it, everything before (Raft §5.4.2).
        if self.role is not Role.LEADER or offset <= self._epoch_start_offset or offset <= self.high_watermark:
            return []
        self.high_watermark = offset
        return [Commit(offset)]

    def _update_voter(self, voter: Voter) -> list[Effect]:
        self._check_leader()
        if self.kraft_version == 0 or self.voters.voter(voter.node_id) == voter:
            return []
        self.voters = self.voters.replace(voter)
        self.end_offset += 1
        return [AppendControl(self.epoch, ((records.CONTROL_KRAFT_VOTERS, self.voters.to_record()),))]

    def _resign(self) -> list[Effect]:
        self._check_leader()
        self.role = Role.RESIGNED
        return [Became(self.role, self.epoch, self.leader_id)]

    def _check_leader(self) -> None:
        if self.role is not Role.LEADER:
            raise NotLeader(f"node {self.node_id} is {self.role.value} in epoch {self.epoch}")
