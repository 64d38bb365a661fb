"""The Raft core as values: an input goes in, a list of effects comes out.

The order of the effects is the durability contract: each one is done, and synced where it says so, before the next.
No clock, no I/O, no randomness but what is injected. The algorithm is KRaft's: followers pull (KIP-595), elections are
tried first (KIP-996), voters can change (KIP-853). A quorum of one elects itself at once, as a real node does; what
only several voters need is in modules of its own, loaded when they first speak.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from klamm.kproto import errors, records
from klamm.kproto.control_records import KRaftVersionRecord, LeaderChangeMessage
from klamm.kproto.control_records import Voter as VoterId
from klamm.kproto.schema import Message
from klamm.metadata.raft.election_state import NOBODY, ElectionState
from klamm.metadata.raft.history import BOOTSTRAP_OFFSET, QuorumHistory
from klamm.metadata.raft.leader import CHECK_QUORUM_FACTOR, Leader
from klamm.metadata.raft.log_index import LogIndex
from klamm.metadata.raft.roles import Role as Role
from klamm.metadata.raft.roles import RoleState, Unattached
from klamm.metadata.raft.voters import ReplicaKey, Voter, VoterEndpoint, VoterSet, endpoint_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from klamm.metadata.raft.connections import Connections
    from klamm.metadata.raft.exchange import Effect, Input
    from klamm.metadata.raft.messages import LeaderHint
    from klamm.seams import Entropy

# Inputs, more of which stand in exchange.py.


class Started(NamedTuple):
    """The log and the files have been read; nothing was said or written yet in this life."""


class Tick(NamedTuple):
    """`deadline_ms` has come."""


class Synced(NamedTuple):
    """Everything below `offset` is on this replica's disk. `truncations`: the core's when that sync began; what was
    cut since is not covered by it.
    """

    offset: int
    truncations: int = 0


class Propose(NamedTuple):
    """The state machine wants records appended: a whole `batch` whose offset and epoch are still open."""

    batch: bytes
    record_count: int


class UpdateVoter(NamedTuple):
    """This voter listens elsewhere than the voter set says."""

    voter: Voter


class Resign(NamedTuple):
    """Lead no more."""


# Effects, as well.


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


class NotLeader(Exception):
    """An input that only a leader can take."""


class RaftError(Exception):
    """What must never happen has: two leaders in an epoch, or a cut below the high watermark. The node must stop."""


class RaftSettings(NamedTuple):
    """`controller.quorum.*`, Kafka's defaults. `can_become_voter`: the node has the controller role."""

    listener_name: str = "CONTROLLER"
    election_timeout_ms: int = 1000
    election_backoff_max_ms: int = 1000
    fetch_timeout_ms: int = 2000
    request_timeout_ms: int = 2000
    retry_backoff_ms: int = 20
    fetch_max_wait_ms: int = 500
    fetch_max_bytes: int = 1 << 20
    fetch_snapshot_max_bytes: int = 1 << 20
    can_become_voter: bool = True
    auto_join: bool = False


DEFAULTS = RaftSettings()


class Raft:
    """One replica. `election` is what quorum-state says; `log` and `history` are kept in step here.

    `endpoints`: where this node's controller listens; empty for what the voter set says. `bootstrap_servers` may be
    empty with static voters, whose addresses are the first to ask then. `entropy` may be absent in a quorum of one.
    """

    def __init__(
        self,
        node_id: int,
        directory_id: bytes,
        *,
        history: QuorumHistory,
        election: ElectionState,
        log: LogIndex,
        settings: RaftSettings = DEFAULTS,
        entropy: Entropy | None = None,
        endpoints: tuple[VoterEndpoint, ...] = (),
        bootstrap_servers: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.node_id = node_id
        self.directory_id = directory_id
        self.key = ReplicaKey(node_id, directory_id)
        self.history = history
        self.log = log
        self.settings = settings
        self.entropy = entropy
        self.state: RoleState = Unattached(max(election.epoch, log.last_epoch))
        self.stored = election
        """What quorum-state says at present."""
        self.high_watermark = 0
        """What this replica knows to be committed. Never goes back."""
        self.leader_high_watermark = 0
        """What a leader has told to be committed, though it may not be here yet."""
        self.synced_offset = log.end_offset
        self.voters_batch_offset = -1
        """Where the last batch with voters begins that this replica wrote as a leader."""
        self.truncations = 0
        """How often the log was cut in this life: see Synced."""
        self.is_shutting_down = False
        self.deadline_ms = math.inf
        """When the next Tick is due."""
        self.effects: list[Effect] = []
        self._endpoints = endpoints
        self._bootstrap_servers = bootstrap_servers
        self._connections: Connections | None = None

    # -- what it is --

    @property
    def role(self) -> Role:
        return self.state.role

    @property
    def epoch(self) -> int:
        return self.state.epoch

    @property
    def leader_id(self) -> int:
        return self.state.leader_id

    @property
    def end_offset(self) -> int:
        return self.log.end_offset

    @property
    def voters(self) -> VoterSet:
        return self.history.voters

    @property
    def kraft_version(self) -> int:
        return self.history.kraft_version

    @property
    def is_voter(self) -> bool:
        return self.history.voters.is_voter(self.key)

    @property
    def may_stand(self) -> bool:
        """Whether this replica stands for election: as a voter, or as one whose removal may not be committed.

        Beyond Kafka, which lets only voters stand: where a leader that removes itself is lost before another replica
        has that record, its log is the longest, and the others could elect nobody (Raft's thesis, §4.2.2).
        """
        return self.is_voter or self.history.was_voter(self.key, self.high_watermark)

    @property
    def served_end_offset(self) -> int:
        """How far others may read: a new voter set is theirs only when it is on this leader's own disk.

        A leader that lost it in a crash would go on with the voters before, some of which, having read it, would
        neither vote nor stand any more.
        """
        is_synced = self.voters_batch_offset < self.synced_offset
        return self.log.end_offset if is_synced else self.voters_batch_offset

    @property
    def is_only_voter(self) -> bool:
        return self.history.voters.is_only(self.node_id, self.directory_id)

    @property
    def is_shutdown_complete(self) -> bool:
        """Whether a replica that shuts down may go: nobody waits for its vote or its records."""
        has_remote_leader = self.leader_id not in (NOBODY, self.node_id)
        return self.is_shutting_down and (not self.is_voter or self.is_only_voter or has_remote_leader)

    @property
    def state_name(self) -> str:
        """Kafka's metric `current-state`."""
        if self.role is Role.FOLLOWER and not self.is_voter:
            return "observer"
        if self.role in (Role.UNATTACHED, Role.PROSPECTIVE) and self.state.voted is not None:
            return f"{self.role.value}-voted"
        return "unattached" if self.role is Role.RESIGNED else self.role.value

    @property
    def own_voter(self) -> Voter:
        """This replica as the voter set should have it."""
        return Voter(self.node_id, self.directory_id, self.endpoints)

    @property
    def endpoints(self) -> tuple[VoterEndpoint, ...]:
        return self._endpoints or self.history.voters.endpoints(self.node_id)

    @property
    def connections(self) -> Connections:
        if self._connections is None:
            from klamm.metadata.raft.connections import Connections, Node

            # A server that is only an address gets an id of its own, from -2 down, as in Kafka.
            bootstrap = [Node(-2 - i, host, port) for i, (host, port) in enumerate(self._bootstrap_servers)]
            if not bootstrap:
                name = self.settings.listener_name
                bootstrap = [
                    Node(voter.node_id, endpoint.host, endpoint.port)
                    for voter in self.history.static_voters.voters
                    if (endpoint := endpoint_of(voter.endpoints, name)) is not None
                ]
            settings = self.settings
            self._connections = Connections(bootstrap, settings.request_timeout_ms, settings.retry_backoff_ms)
        return self._connections

    # -- the step --

    def step(self, now_ms: float, event: Input) -> list[Effect]:
        """Take one input. `now_ms` is monotonic. Raises NotLeader, RaftError; KafkaError for UpgradeKRaftVersion."""
        self.effects = []
        if isinstance(event, Synced):
            self._synced(event, now_ms)
        elif isinstance(event, Propose):
            leader = self.leader()
            self.log.append(leader.epoch, self.log.end_offset + event.record_count)
            self.effects.append(Append(leader.epoch, event.batch))
        elif isinstance(event, Started):
            self._start(now_ms)
        elif isinstance(event, UpdateVoter):
            self._update_voter(event.voter)
        elif isinstance(event, Resign):
            self._resign(now_ms)
        elif not isinstance(event, Tick):
            from klamm.metadata.raft import dispatch

            dispatch.handle(self, event, now_ms)
        self._poll(now_ms)
        effects, self.effects = self.effects, []
        return effects

    def _poll(self, now_ms: float) -> None:
        """What is due. The leader of a quorum of one has nothing to wait for."""
        state = self.state
        is_idle = isinstance(state, Leader) and not (state.parked or state.change or state.is_resigning)
        if is_idle and self.is_only_voter and not self.is_shutting_down:
            self.deadline_ms = math.inf
            return
        from klamm.metadata.raft import polling

        polling.poll(self, now_ms)

    def _start(self, now_ms: float) -> None:
        if not self.is_only_voter:
            from klamm.metadata.raft import elections

            elections.start(self, now_ms)
            return
        # The only vote is our own and nobody waits for it: candidate and leader of the new epoch are one write.
        epoch = self.epoch + 1
        self.effects.append(Became(Role.CANDIDATE, epoch, NOBODY))
        self.become_leader(epoch, (self.node_id,), now_ms)

    def _synced(self, event: Synced, now_ms: float) -> None:
        if event.truncations != self.truncations or event.offset <= self.synced_offset:
            return
        self.synced_offset = min(event.offset, self.log.end_offset)
        if isinstance(self.state, Leader):
            self.leader_log_synced(self.state, now_ms)

    def leader_log_synced(self, leader: Leader, now_ms: float) -> None:
        """The leader's own disk counts like any other voter's."""
        if self.node_id in leader.voters:
            leader.voters[self.node_id].end_offset = self.synced_offset
        self.advance(leader, now_ms)

    def advance(self, leader: Leader, now_ms: float) -> None:
        """Commit what a majority has, and answer who waits for that."""
        if not leader.advance():
            return
        self.commit(leader.high_watermark)
        if not self.is_voter and (self.history.voters_offset or 0) < leader.high_watermark:
            leader.is_resigning = True
        if leader.parked or leader.change:
            from klamm.metadata.raft import leading

            leading.high_watermark_advanced(self, leader, now_ms)

    def commit(self, offset: int) -> None:
        if offset > self.high_watermark:
            self.high_watermark = offset
            self.effects.append(Commit(offset))

    # -- leading --

    def become_leader(self, epoch: int, granting: tuple[int, ...], now_ms: float) -> None:
        """A majority has granted its vote: begin the epoch with control records of its own."""
        voters = self.voters
        leader = Leader(epoch, self.key, self.endpoints, voters, self.log.end_offset)
        leader.check_quorum_deadline_ms = now_ms + self.settings.fetch_timeout_ms * CHECK_QUORUM_FACTOR
        if self.kraft_version == 0:
            leader.static_voters = voters.replace(self.own_voter)
        self.persist(leader.election)
        self.state = leader
        self.append_control(leader, self._start_of_epoch(granting))
        if self._connections is not None:
            self._connections.reset_all()
        self.effects.append(Became(Role.LEADER, epoch, self.node_id))
        self.leader_log_synced(leader, now_ms)

    def _start_of_epoch(self, granting: tuple[int, ...]) -> tuple[tuple[int, Message], ...]:
        change = LeaderChangeMessage(
            version=0,
            leader_id=self.node_id,
            voters=[VoterId(voter_id=voter.node_id) for voter in self.voters.voters],
            granting_voters=[VoterId(voter_id=voter_id) for voter_id in granting],
        )
        control: tuple[tuple[int, Message], ...] = ((records.CONTROL_LEADER_CHANGE, change),)
        # Voters that stand only in the 0-0 checkpoint go into the log, where other replicas find them (KIP-853); so
        # does a leader that has moved.
        is_moved = bool(self._endpoints) and self.voters.needs_update(self.own_voter)
        if self.kraft_version > 0 and (self.history.voters_offset == BOOTSTRAP_OFFSET or is_moved):
            voters = self.voters.replace(self.own_voter) if is_moved else self.voters
            version = KRaftVersionRecord(version=0, k_raft_version=self.kraft_version)
            control += (
                (records.CONTROL_KRAFT_VERSION, version),
                (records.CONTROL_KRAFT_VOTERS, voters.to_record()),
            )
        return control

    def append_control(self, leader: Leader, control: tuple[tuple[int, Message], ...]) -> int:
        """Append control records as a batch; the offset of the last one. New voters count at once."""
        start = self.log.end_offset
        self.log.append(leader.epoch, start + len(control))
        self.effects.append(AppendControl(leader.epoch, control))
        if self.history.add((start + i, kind, body) for i, (kind, body) in enumerate(control)):
            leader.update_voters(self.voters)
            self.voters_batch_offset = start
        return self.log.end_offset - 1

    def _update_voter(self, voter: Voter) -> None:
        leader = self.leader()
        if self.kraft_version > 0 and self.voters.voter(voter.node_id) != voter:
            self.append_control(leader, ((records.CONTROL_KRAFT_VOTERS, self.voters.replace(voter).to_record()),))

    def _resign(self, now_ms: float) -> None:
        leader = self.leader()
        from klamm.metadata.raft import leading

        leading.resign(self, leader, now_ms)

    def leader(self) -> Leader:
        """The state of a replica that leads. Raises NotLeader."""
        if not isinstance(self.state, Leader):
            raise NotLeader(f"node {self.node_id} is {self.role.value} in epoch {self.epoch}")
        return self.state

    # -- for the modules of each role --

    def persist(self, election: ElectionState) -> None:
        """quorum-state comes before anything that depends on it; what it says already is not written again."""
        if election != self.stored:
            self.stored = election
            self.effects.append(Persist(election))

    def enter(self, state: RoleState, *, is_persisted: bool = True) -> None:
        """Change the role; what waited for the old one is answered."""
        if is_persisted:
            self.persist(state.election)
        before, self.state = self.state, state
        if isinstance(before, Leader):
            from klamm.metadata.raft import leading

            leading.close(self, before)
        if (before.role, before.epoch, before.leader_id) != (state.role, state.epoch, state.leader_id):
            self.effects.append(Became(state.role, state.epoch, state.leader_id))

    def hint(self, listener_name: str) -> LeaderHint:
        """The epoch and leader that every answer carries."""
        from klamm.metadata.raft.messages import LeaderHint

        known = self.leader_id != NOBODY
        return LeaderHint(
            self.leader_id, self.epoch, endpoint_of(self.state.endpoints, listener_name) if known else None
        )

    def leader_only_error(self, epoch: int) -> int:
        """Why a request that only the leader of `epoch` can take is refused; NONE if it is not."""
        if epoch < self.epoch:
            return errors.FENCED_LEADER_EPOCH
        if epoch > self.epoch:
            return errors.UNKNOWN_LEADER_EPOCH
        if not isinstance(self.state, Leader):
            return errors.NOT_LEADER_OR_FOLLOWER
        return errors.BROKER_NOT_AVAILABLE if self.is_shutting_down else errors.NONE

    def election_deadline_ms(self, now_ms: float) -> float:
        """One election timeout and up to another one, so that voters do not all stand at once."""
        timeout_ms = self.settings.election_timeout_ms
        jitter_ms = self.entropy.randrange(timeout_ms) if self.entropy is not None and timeout_ms else 0
        return now_ms + timeout_ms + jitter_ms
