"""A quorum on a heap: nodes, their disks and the network between them, in virtual time and from one seed.

A disk keeps what was synced, and of what was not any first part. The network delays, drops, repeats and overtakes.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from typing import Any

from klamm.kproto import errors, records
from klamm.kproto.schema import Message
from klamm.metadata.image.cluster import VersionRange
from klamm.metadata.raft import messages as m
from klamm.metadata.raft.core import (
    Append,
    AppendControl,
    Became,
    Commit,
    Persist,
    Raft,
    RaftSettings,
    Started,
    Synced,
    Tick,
)
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.exchange import (
    AppendFetched,
    Effect,
    Failed,
    Input,
    LogStartMoved,
    Reply,
    Request,
    Response,
    Send,
    Snapshot,
    SnapshotLoaded,
    SnapshotTaken,
    Truncate,
)
from klamm.metadata.raft.history import BOOTSTRAP_OFFSET, QuorumHistory
from klamm.metadata.raft.log_index import BOOTSTRAP_SNAPSHOT_ID, LogIndex, OffsetAndEpoch
from klamm.metadata.raft.messages import FetchedBatch
from klamm.metadata.raft.roles import Role
from klamm.metadata.raft.voters import ReplicaKey, VoterEndpoint, VoterSet
from tests.sim.raft_checks import Checker, Violation

SNAPSHOT_BYTES = 30
SNAPSHOT_PIECE_BYTES = 13


class SimEntropy:
    """Every node draws from a stream of its own."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> bytes:
        return self._random.randbytes(16)

    def random(self) -> float:
        return self._random.random()

    def randrange(self, stop: int) -> int:
        return int(self._random.random() * stop)


class SimSnapshot:
    """What a snapshot holds: the voters; its records are those of the committed log."""

    def __init__(self, kraft_version: int, voters: VoterSet | None) -> None:
        self.kraft_version = kraft_version
        self.voters = voters


class SimNode:
    """One replica: its process while it runs (`raft`), and its disk."""

    def __init__(
        self, world: World, node_id: int, static_voters: VoterSet, bootstrap: VoterSet | None, can_become_voter: bool
    ) -> None:
        self.world = world
        self.node_id = node_id
        self.key = ReplicaKey(node_id, bytes([node_id] * 16))
        self.static_voters = static_voters
        self.can_become_voter = can_become_voter
        self.rate = world.random.uniform(0.85, 1.15)
        self.offset_ms = world.random.uniform(0, 1e6)
        self.disk_ms = world.random.choice((1.0, 3.0, 10.0))
        self.address = 0
        # The disk.
        self.election = ElectionState(0)
        self.log: list[FetchedBatch] = []
        self.log_start = 0
        self.durable: list[FetchedBatch] = []
        self.unsynced: list[FetchedBatch | int] = []
        """Appended batches and offsets of cuts that a crash may lose, from some point on."""
        self.snapshots: dict[OffsetAndEpoch, SimSnapshot] = {}
        if bootstrap is not None:
            self.snapshots[BOOTSTRAP_SNAPSHOT_ID] = SimSnapshot(1, bootstrap)
        # The process.
        self.raft: Raft | None = None
        self.life = 0
        self.role = Role.UNATTACHED
        """As of the effect that is carried out: the core is ahead of that within a step."""
        self.role_epoch = 0
        self.committed_end = 0
        self.epoch_before = 0
        self._is_syncing = False
        self._tick_ms = math.inf
        self._requests: dict[int, tuple[SimNode | None, int, int, m.RaftRequest]] = {}
        self._last_request_id = 0

    # -- life --

    @property
    def log_end(self) -> int:
        return self.log[-1].next_offset if self.log else self.log_start

    def now_ms(self) -> float:
        return self.world.now_ms * self.rate + self.offset_ms

    @property
    def endpoints(self) -> tuple[VoterEndpoint, ...]:
        return (VoterEndpoint("CONTROLLER", f"n{self.node_id}", self.address),)

    def start(self, auto_join: bool = False) -> None:
        history = QuorumHistory(self.static_voters)
        latest = max(self.snapshots, key=lambda snapshot: snapshot.order, default=None)
        if latest is not None:
            self._begin_at_snapshot(latest)
            snapshot = self.snapshots[latest]
            offset = latest.offset - 1 if latest != BOOTSTRAP_SNAPSHOT_ID else BOOTSTRAP_OFFSET
            history.load(offset, snapshot.kraft_version, snapshot.voters)
        epochs: list[tuple[int, int]] = []
        for batch in self.log:
            if latest is None or batch.base_offset >= latest.offset:
                history.add(batch.control)
            if not epochs or epochs[-1][0] != batch.epoch:
                epochs.append((batch.epoch, batch.base_offset))
        self.life += 1
        self.role = Role.UNATTACHED
        self.committed_end = 0 if latest is None else latest.offset
        self._is_syncing = False
        self._tick_ms = math.inf
        self._requests.clear()
        settings = RaftSettings(
            can_become_voter=self.can_become_voter,
            auto_join=auto_join,
            fetch_snapshot_max_bytes=SNAPSHOT_PIECE_BYTES,
        )
        sizes = dict.fromkeys(self.snapshots, SNAPSHOT_BYTES)
        self.raft = Raft(
            self.node_id,
            self.key.directory_id,
            history=history,
            election=self.election,
            log=LogIndex(self.log_start, self.log_end, epochs, sizes),
            settings=settings,
            entropy=SimEntropy(self.world.random.getrandbits(32)),
            endpoints=self.endpoints if self.can_become_voter else (),
            bootstrap_servers=[(f"n{i}", 0) for i in self.world.bootstrap],
        )
        self.raft.high_watermark = self.committed_end
        self.step(Started())

    def crash(self) -> None:
        """The process is gone; of what was not synced, the disk has kept some first part."""
        self.raft = None
        self.life += 1
        kept = self.world.random.randint(0, len(self.unsynced))
        for op in self.unsynced[:kept]:
            _apply(self.durable, op)
        self.unsynced.clear()
        self.log = [batch for batch in self.durable if batch.base_offset >= self.log_start]
        self.durable = list(self.log)

    def _begin_at_snapshot(self, latest: OffsetAndEpoch) -> None:
        """A log that ends before the newest snapshot is dropped, as at a real node's start."""
        end = OffsetAndEpoch(self.log_end, self.log[-1].epoch if self.log else -1)
        is_gap = bool(self.log) and self.log[0].base_offset > self.log_start
        if latest != BOOTSTRAP_SNAPSHOT_ID and (latest.order > end.order or is_gap):
            self.log, self.durable, self.log_start = [], [], latest.offset
            self.snapshots = {key: value for key, value in self.snapshots.items() if key.order >= latest.order}

    # -- the step --

    def step(self, event: Input) -> None:
        raft = self.raft
        assert raft is not None
        now_ms = self.now_ms()
        was_due = now_ms >= raft.deadline_ms - 1  # a step never asks for a tick within the next millisecond
        self.epoch_before = raft.epoch
        effects = raft.step(now_ms, event)
        checker = self.world.checker
        checker.pre_vote_changes_nothing(self, event, was_due, effects)
        for effect in effects:
            self._perform(effect, checker)
        self.world.steps += 1
        if raft.deadline_ms < self._tick_ms or self._tick_ms <= now_ms:
            self._tick_ms = raft.deadline_ms
            if math.isfinite(raft.deadline_ms):
                at_ms = (raft.deadline_ms - self.offset_ms) / self.rate
                self.world.at(at_ms, self._tick, self.life)

    def _tick(self, life: int) -> None:
        if life != self.life or self.raft is None:
            return
        if self.now_ms() < self.raft.deadline_ms - 1e-6:  # it was put off
            self._tick_ms = self.raft.deadline_ms
            if math.isfinite(self._tick_ms):
                self.world.at((self._tick_ms - self.offset_ms) / self.rate, self._tick, life)
            return
        self._tick_ms = math.inf
        self.step(Tick())

    def _perform(self, effect: Effect, checker: Checker) -> None:
        if isinstance(effect, Send):
            checker.sending(self, effect)
            self.world.send(self, effect)
        elif isinstance(effect, Reply):
            self._reply(effect, checker)
        elif isinstance(effect, AppendFetched):
            for batch in effect.batches:
                self._append(batch)
        elif isinstance(effect, Append):
            value, count = effect.batch
            self._append(FetchedBatch(self.log_end, self.log_end + count, effect.epoch, (), value))
        elif isinstance(effect, AppendControl):
            self._append_control(effect, checker)
        elif isinstance(effect, Commit):
            checker.committing(self.world, self, effect.offset)
            self.committed_end = effect.offset
        elif isinstance(effect, Persist):
            self.election = effect.state
        elif isinstance(effect, Became):
            self.world.trace(self, effect)
            self.role, self.role_epoch = effect.role, effect.epoch
            checker.became(self, effect)
        elif isinstance(effect, Truncate):
            self._truncate(effect, checker)
        elif isinstance(effect, Snapshot) and effect.is_last:
            self.world.after(self.disk_ms, self._snapshot_written, self.life, effect.snapshot_id)

    # -- the log --

    def _append(self, batch: FetchedBatch) -> None:
        if batch.base_offset != self.log_end:
            raise Violation(f"node {self.node_id} appends {batch.base_offset} at {self.log_end}")
        self.world.checker.appended(self, batch)
        self.log.append(batch)
        self.unsynced.append(batch)
        self._sync()

    def _append_control(self, effect: AppendControl, checker: Checker) -> None:
        base = self.log_end
        control = tuple((base + i, kind, body) for i, (kind, body) in enumerate(effect.records))
        content = tuple((kind, body.encode(0)) for kind, body in effect.records)
        for _, kind, body in control:
            if kind == records.CONTROL_KRAFT_VOTERS:
                self._check_voters(body, checker)
        self._append(FetchedBatch(base, base + len(control), effect.epoch, control, content))

    def _check_voters(self, body: Message, checker: Checker) -> None:
        after = VoterSet.from_record(body)  # type: ignore[arg-type]
        for batch in reversed(self.log):
            for offset, kind, before in reversed(batch.control):
                if kind == records.CONTROL_KRAFT_VOTERS:
                    checker.voters_written(self, VoterSet.from_record(before), offset, after)  # type: ignore[arg-type]
                    return

    def _truncate(self, effect: Truncate, checker: Checker) -> None:
        checker.truncating(self, effect)
        if effect.is_full:
            self.log, self.durable, self.log_start = [], [], effect.offset
            self.unsynced.clear()
            self.snapshots = {k: v for k, v in self.snapshots.items() if k.offset >= effect.offset}
            checker.committed_end = max(checker.committed_end, effect.offset)
            return
        _apply(self.log, effect.offset)
        self.unsynced.append(effect.offset)

    def _sync(self) -> None:
        if self._is_syncing:
            return
        self._is_syncing = True
        delay_ms = self.disk_ms * self.world.random.uniform(0.5, 2)
        if self.world.is_chaos and self.world.random.random() < self.world.slow_disk:
            delay_ms += self.world.random.uniform(50, 3000)
        assert self.raft is not None
        covered = len(self.unsynced)
        last = self.unsynced[-1] if self.unsynced else None
        end, truncations = self.log_end, self.raft.truncations
        self.world.after(delay_ms, self._synced, self.life, covered, last, end, truncations)
        if self.world.is_chaos and self.world.random.random() < 0.1:
            # Another sync that has begun by now covers nothing more, and may be told of much later.
            self.world.after(
                delay_ms + self.world.random.uniform(0, 3000), self._told_late, self.life, end, truncations
            )

    def _synced(self, life: int, covered: int, last: FetchedBatch | int | None, end: int, truncations: int) -> None:
        if life != self.life or self.raft is None:
            return
        self._is_syncing = False
        if covered and covered <= len(self.unsynced) and self.unsynced[covered - 1] is last:
            for op in self.unsynced[:covered]:
                _apply(self.durable, op)
            del self.unsynced[:covered]
        self.step(Synced(end, truncations))
        if self.unsynced and self.raft is not None:
            self._sync()

    def _told_late(self, life: int, end: int, truncations: int) -> None:
        if life == self.life and self.raft is not None:
            self.step(Synced(end, truncations))

    def has_durable(self, batch: FetchedBatch) -> bool:
        if self.log_start > batch.base_offset:
            return True
        if any(snapshot.offset > batch.base_offset for snapshot in self.snapshots):
            return True
        return any(
            known.base_offset == batch.base_offset and known.epoch == batch.epoch for known in reversed(self.durable)
        )

    # -- snapshots --

    def take_snapshot(self) -> None:
        """Of some committed prefix; the log before it goes now and then."""
        raft, world = self.raft, self.world
        batches = [batch for batch in self.log if batch.next_offset <= self.committed_end]
        if raft is None or not batches:
            return
        batch = world.random.choice(batches[-3:])
        snapshot_id = OffsetAndEpoch(batch.next_offset, batch.epoch)
        latest = max(self.snapshots, key=lambda snapshot: snapshot.order, default=None)
        if latest is not None and snapshot_id.order <= latest.order:
            return
        self.snapshots[snapshot_id] = SimSnapshot(*raft.history.at(snapshot_id.offset))
        self.step(SnapshotTaken(snapshot_id, SNAPSHOT_BYTES))
        if world.random.random() < 0.7:
            self.log_start = snapshot_id.offset
            self.log = [known for known in self.log if known.base_offset >= self.log_start]
            self.snapshots = {k: v for k, v in self.snapshots.items() if k.offset >= self.log_start}
            self.step(LogStartMoved(self.log_start))

    def _snapshot_written(self, life: int, snapshot_id: OffsetAndEpoch) -> None:
        if life != self.life or self.raft is None:
            return
        content = self.world.snapshot(snapshot_id)
        self.snapshots[snapshot_id] = content
        self.step(SnapshotLoaded(snapshot_id, SNAPSHOT_BYTES, content.kraft_version, content.voters))

    # -- the network's end --

    def receive(self, source: SimNode | None, source_life: int, request_id: int, message: m.RaftRequest) -> None:
        if self.raft is None:
            self.world.refuse(self, source, source_life, request_id)
            return
        if isinstance(message, m.ApiVersionsRequest):
            self.world.reply(self, source, source_life, request_id, m.ApiVersionsResponse(VersionRange(0, 1)))
            return
        self._last_request_id += 1
        self._requests[self._last_request_id] = (source, source_life, request_id, message)
        self.step(Request(self._last_request_id, message))

    def _reply(self, effect: Reply, checker: Checker) -> None:
        source, life, request_id, request = self._requests.pop(effect.request_id)
        checker.answered(self, request, effect)
        self.world.reply(self, source, life, request_id, self._filled(effect.message))

    def _filled(self, message: m.RaftResponse) -> m.RaftResponse:
        if isinstance(message, m.FetchResponse) and isinstance(message.records, m.Read):
            start, end = message.records.offset, message.records.end_offset
            found = [batch for batch in self.log if start <= batch.base_offset < end]
            return message._replace(records=tuple(found[: self.world.random.randint(1, 8)]))
        if isinstance(message, m.FetchSnapshotResponse) and isinstance(message.data, m.ReadSnapshot):
            read = message.data
            self.world.note_snapshot(read.snapshot_id, self.snapshots[read.snapshot_id])
            return message._replace(data=bytes(min(read.max_bytes, SNAPSHOT_BYTES - read.position)))
        return message

    def answered(self, life: int, event: Response | Failed) -> None:
        if life == self.life and self.raft is not None:
            self.step(event)


def _apply(log: list[FetchedBatch], op: FetchedBatch | int) -> None:
    if isinstance(op, FetchedBatch):
        log.append(op)
    else:
        while log and log[-1].next_offset > op:
            log.pop()


class World:
    """Virtual time, and everything between the nodes."""

    def __init__(self, seed: int, *, is_traced: bool = False) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now_ms = 0.0
        self.steps = 0
        self.checker = Checker()
        self.nodes: dict[int, SimNode] = {}
        self.bootstrap: list[int] = []
        self.cut: set[tuple[int, int]] = set()
        """(from, to): nothing gets through."""
        self.is_chaos = True
        self.drop = self.random.choice((0.0, 0.02, 0.1))
        self.duplicate = self.random.choice((0.0, 0.05))
        self.delay_ms = self.random.choice((2.0, 10.0, 60.0))
        self.slow_disk = self.random.choice((0.0, 0.02, 0.1))
        self._snapshots: dict[OffsetAndEpoch, SimSnapshot] = {}
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self._is_traced = is_traced

    def at(self, time_ms: float, call: Callable[..., None], *args: Any) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (max(time_ms, self.now_ms), self._sequence, call, args))

    def after(self, delay_ms: float, call: Callable[..., None], *args: Any) -> None:
        self.at(self.now_ms + delay_ms, call, *args)

    def run_until(self, time_ms: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= time_ms:
            self.now_ms, _, call, args = heapq.heappop(heap)
            call(*args)
        self.now_ms = time_ms

    # -- the network --

    def send(self, node: SimNode, effect: Send) -> None:
        target = self.nodes.get(int(effect.node.host[1:]))
        if target is None or not self._gets_through(node.node_id, target.node_id):
            return
        self.after(self._delay_ms(), target.receive, node, node.life, effect.request_id, effect.message)
        if self.is_chaos and self.random.random() < self.duplicate:
            self.after(self._delay_ms(), target.receive, node, node.life, effect.request_id, effect.message)

    def reply(self, node: SimNode, source: SimNode | None, life: int, request_id: int, message: m.RaftResponse) -> None:
        if source is not None and self._gets_through(node.node_id, source.node_id):
            self.after(self._delay_ms(), source.answered, life, Response(request_id, message))

    def refuse(self, node: SimNode, source: SimNode | None, life: int, request_id: int) -> None:
        """Nobody listens there: a broken connection, which is often but not always noticed."""
        if source is not None and self.random.random() < 0.8 and self._gets_through(node.node_id, source.node_id):
            self.after(self._delay_ms(), source.answered, life, Failed(request_id, errors.BROKER_NOT_AVAILABLE))

    def _gets_through(self, source: int, target: int) -> bool:
        if not self.is_chaos:
            return True
        return (source, target) not in self.cut and self.random.random() >= self.drop

    def _delay_ms(self) -> float:
        if not self.is_chaos:
            return self.random.uniform(0.5, 3)
        if self.random.random() < 0.02:
            return self.random.uniform(0, 1500)
        return self.random.uniform(0.2, self.delay_ms)

    # -- what several nodes share --

    def note_snapshot(self, snapshot_id: OffsetAndEpoch, content: SimSnapshot) -> None:
        known = self._snapshots.setdefault(snapshot_id, content)
        if (known.kraft_version, known.voters) != (content.kraft_version, content.voters):
            raise Violation(f"snapshot {snapshot_id} has two contents")

    def snapshot(self, snapshot_id: OffsetAndEpoch) -> SimSnapshot:
        return self._snapshots[snapshot_id]

    def leaders(self) -> list[SimNode]:
        """Who takes itself for the leader."""
        return [node for node in self.nodes.values() if node.raft is not None and node.raft.role is Role.LEADER]

    def trace(self, node: SimNode, what: object) -> None:
        if self._is_traced:
            print(f"{self.now_ms:10.1f} node {node.node_id}.{node.life}: {what}")
