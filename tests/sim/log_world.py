"""One node's logs on a disk that fails, driven at random from a seed: lives that end in a crash, and a check.

A life is steps (appends, flushes, rolls, retention, truncation, checkpoints, restarts of the clock) on `LogDirs`, as a
node drives it. The order in which slow work is done varies. What was promised is in the ledgers; nothing else decides.
"""

from __future__ import annotations

import errno
import random
from collections import Counter, deque
from collections.abc import Hashable
from typing import Any

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import Record, build_batch
from klamm.log import checkpoint, partition_log, upkeep, validation
from klamm.log.faulty_disk import Fault, FaultyDisk, PowerCut
from klamm.log.io_thread import Completion, Done, InlineIo, IoThread, Work
from klamm.log.log_config import LogConfig
from klamm.log.log_dirs import LogDirs
from klamm.log.partition_log import PartitionLog
from klamm.log.producer_state import NO_TXN
from klamm.seams import SeededEntropy
from tests.clock import FakeClock
from tests.sim.log_ledger import Ledger

TOPIC_ID = bytes(range(16))
LARGE_WRITE_BYTES = 700
"""Batches of this size and more go through the writer here, so that both ways of writing meet."""


_FAULTS = ("write", "fsync", "fsync", "space", "rename", "create", "fsync_directory", "truncate", "list", "everything")


class ShuffledIo:
    """Jobs wait for `run_one`, which takes the next one of any lane: what several threads might do."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lanes: dict[Hashable, deque[tuple[Work, Done]]] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def submit(self, work: Work, done: Done, lane: Hashable = None) -> None:
        self._lanes.setdefault(lane, deque()).append((work, done))

    def run_one(self) -> None:
        lane = self._rng.choice(list(self._lanes))
        work, done = self._lanes[lane].popleft()
        if not self._lanes[lane]:
            del self._lanes[lane]
        InlineIo().submit(work, done)

    def drain(self) -> None:
        while self._lanes:
            self.run_one()

    def close(self) -> None:
        self.drain()


class World:
    """A disk, and the logs on it, over several lives. `run` raises Violation."""

    kinds: tuple[str, ...] = ("plain", "idempotent", "idempotent", "transactional", "marker")
    """What is appended."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        self.clock = FakeClock()
        self.disk = FaultyDisk(seed, sector_bytes=rng.choice((512, 4096)), is_ordered=rng.random() < 0.4)
        self.paths = ["/data/a", "/data/b"][: rng.choice((1, 1, 2))]
        self.configs = {f"t{n}": LogConfig(self._config()) for n in range(rng.choice((1, 2, 3)))}
        self.ledgers = {topic: Ledger(topic) for topic in self.configs}
        self.epochs = dict.fromkeys(self.configs, 0)
        self.counts: Counter[str] = Counter()
        self.is_deferred = rng.random() < 0.6
        self.entropy = SeededEntropy(seed)
        self._faults: list[Fault] = []
        self._resent: dict[str, deque[bytes]] = {topic: deque(maxlen=3) for topic in self.configs}
        self.dirs: LogDirs
        self.writer: IoThread
        self.flusher: IoThread

    def _config(self) -> dict[str, Any]:
        rng = self.rng
        return {
            "internal.segment.bytes": rng.choice((400, 1500, 6000)),
            "index.interval.bytes": rng.choice((50, 300)),
            "flush.messages": rng.choice((1, 1, 4, 1 << 60)),
            "retention.bytes": rng.choice((-1, -1, 3000)),
            "preallocate": rng.random() < 0.1,
            "file.delete.delay.ms": rng.choice((0, 1000)),
        }

    def run(self, lives: int) -> None:
        usual = partition_log.LARGE_WRITE_BYTES
        partition_log.LARGE_WRITE_BYTES = LARGE_WRITE_BYTES  # type: ignore[misc]
        try:
            for _ in range(lives):
                self.counts["rounds"] += 1
                self._life()
        finally:
            partition_log.LARGE_WRITE_BYTES = usual  # type: ignore[misc]

    # -- a life --

    def _life(self) -> None:
        rng = self.rng
        self._faults = []
        try:
            if rng.random() < 0.15:
                self.disk.cut_power_after(rng.randrange(60))  # within the start
            self._start()
            self.disk.heal()
            steps = rng.choice((10, 30, 80))
            if rng.random() < 0.35:
                self._plan_fault()
            if rng.random() < 0.4:
                self.disk.cut_power_after(rng.randrange(steps * 5))
            for _ in range(steps):
                self._step()
            self._end()
        except PowerCut:
            self._power_cut("cuts within an operation")

    def _end(self) -> None:
        luck = self.rng.random()
        if luck < 0.25:
            self.disk.heal()
            self._close()
            self.counts["clean stops"] += 1
            if luck < 0.12 or self._has_lost_pages():
                self._power_cut("cuts after a clean stop")
            else:
                self.disk.process_kill()
        elif luck < 0.45 and not self._has_lost_pages():
            self.disk.heal()
            self.disk.process_kill()
            self.counts["kills"] += 1
        else:
            self._power_cut("cuts")

    def _has_lost_pages(self) -> bool:
        """After a failed sync the page cache shows what is not on the disk, to a new process too: only a new start of
        the machine tells the truth (docs/durability.md).
        """
        return any(fault.operation == "fsync" and fault.met for fault in self._faults)

    def _power_cut(self, kind: str) -> None:
        self.disk.power_cut()
        self.disk.heal()
        self.counts[kind] += 1

    def _close(self) -> None:
        self.writer.close()
        self.flusher.close()
        was_synced = {topic: log for topic in self.configs if (log := self.dirs.get(topic, 0)) is not None}
        self.dirs.close()
        for topic, log in was_synced.items():
            if log.log_dir.failure is None:
                self.ledgers[topic].flushed(log.log_end_offset)

    def _start(self) -> None:
        self.writer = ShuffledIo(self.rng) if self.is_deferred else InlineIo()
        self.flusher = ShuffledIo(self.rng) if self.is_deferred else InlineIo()
        self.dirs = LogDirs(
            self.paths,
            disk=self.disk,
            clock=self.clock,
            entropy=self.entropy,
            writer=self.writer,
            flusher=self.flusher,
            default_config=next(iter(self.configs.values())),
        )
        self.dirs.open()
        self.dirs.format("cluster", 1)
        points: dict[str, int] = {}
        for directory in self.dirs.directories:
            stored = directory.read_checkpoint(checkpoint.RECOVERY_POINT)
            points |= {topic: offset for (topic, _), offset in stored.items()}
        loading = self.dirs.begin_load(lambda topic: self.configs[topic])
        for plan in loading.plans:
            loading._work(plan, deque(plan.names))  # here, not on threads: their order would not be the seed's
        self.dirs.finish_load(loading)
        for topic, ledger in self.ledgers.items():
            log = self.dirs.get(topic, 0)
            ledger.check_restarted(log, points.get(topic, 0))
            if log is None:
                log = self.dirs.create(topic, 0, TOPIC_ID, self.configs[topic])
            log.advance_high_watermark()
            ledger.restarted_end = log.log_end_offset
            ledger.check_facts(log, self.rng)
            self.epochs[topic] += 1  # a leader that has been away begins a new epoch

    def _plan_fault(self) -> None:
        rng, disk = self.rng, self.disk
        kind = rng.choice(_FAULTS)
        self.counts[f"fault: {kind}"] += 1
        if kind == "everything":
            operations = ("open", "create", "read", "write", "truncate", "fsync", "fsync_directory", "rename", "remove",
                          "list")  # fmt: skip
            skip = rng.randrange(30)
            for operation in operations:
                self._faults.append(disk.fail(operation, skip=skip, times=None))
            return
        if kind == "space":
            disk.capacity_bytes = disk.used_bytes + rng.randrange(6000)
            return
        place = rng.choice(self.paths)
        error = rng.choice((errno.EIO, errno.ENOSPC)) if kind == "write" else errno.EIO
        skip = rng.randrange(20)
        self._faults.append(
            disk.fail(kind, error, path=f"{place}/*", skip=skip, after_bytes=rng.randrange(400))  # type: ignore[arg-type]
        )

    # -- steps --

    def _step(self) -> None:
        rng = self.rng
        topic = rng.choice(list(self.configs))
        log = self.dirs.get(topic, 0)
        if log is None or log.log_dir.failure is not None:
            self.clock.advance(1)
            return
        ledger = self.ledgers[topic]
        action = rng.choices(
            (self._append, self._run_io, self._flush, self._look, self._checkpoint, self._upkeep, self._cut), _WEIGHTS
        )[0]
        try:
            action(topic, log, ledger)
        except KafkaError as error:
            if error.code != errors.KAFKA_STORAGE_ERROR or log.log_dir.failure is None:
                raise
            self.counts["directories failed"] += 1
        self._check_bounds(topic, log, ledger)

    def _check_bounds(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        ledger.start_max = max(ledger.start_max, log.log_start_offset)
        synced = max(log.log_start_offset, ledger.flushed_end, ledger.restarted_end)
        if log.config.flush_messages == 1 and log.log_dir.failure is None and log.high_watermark > synced:
            ledger.fail(f"readers see up to {log.high_watermark}, synced is what is below {synced}")
        is_in_order = log.log_start_offset <= log.high_watermark <= log.log_end_offset <= log.next_offset
        if log.log_dir.failure is None and not is_in_order:
            offsets = log.log_start_offset, log.high_watermark, log.log_end_offset, log.next_offset
            ledger.fail(f"offsets out of order: start, high watermark, end, next {offsets}")

    def _append(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        rng = self.rng
        if rng.random() < 0.05:
            self.epochs[topic] += 1
        resent = self._resent[topic]
        if resent and rng.random() < 0.06:
            self._append_again(log, ledger, rng.choice(resent))
            return
        data, origin = self._batch(topic, log)
        if len(data) > log.config.segment_bytes:
            return
        sent = bytes(data)
        before = log.next_offset
        is_appended = False
        try:
            appended = log.append_as_leader(data, self.epochs[topic], now_ms=self.clock.time_ms(), origin=origin)
            is_appended = True
        finally:
            # A write that failed may have reached the disk all the same.
            if is_appended or (bytes(data) != sent and int.from_bytes(data[:8], "big") == before):
                ledger.add(bytes(data))
        self.counts["appends"] += 1
        if origin == validation.CLIENT:
            resent.append(sent)
        self._wait_for_sync(log, ledger, appended.written, appended.last_offset + 1)
        log.advance_high_watermark()

    def _wait_for_sync(self, log: PartitionLog, ledger: Ledger, written: Completion | None, end: int) -> None:
        """Whatever is answered with `flush.messages=1` is synced."""
        life = self.counts["rounds"]

        def done(completion: Completion) -> None:
            if completion.exception() is None and self.counts["rounds"] == life:
                if log.config.flush_messages == 1:
                    ledger.flushed(end)
                log.advance_high_watermark()

        if written is not None:
            written.add_done_callback(done)
        elif log.config.flush_messages == 1:
            ledger.fail(f"the append up to {end} is answered without a sync")

    def _append_again(self, log: PartitionLog, ledger: Ledger, sent: bytes) -> None:
        """What a producer sends again must not be there twice; or it is new, when a crash has lost it."""
        batch = next(records.batches(sent))
        known = log.producers.producers.get(batch.producer_id)
        if batch.producer_id < 0 or known is None or known.producer_epoch != batch.producer_epoch:
            return
        last = batch.base_sequence + batch.last_offset - batch.base_offset
        stored = next((b for b in known.batches if b.last_sequence == last), None)
        if stored is None or stored.first_sequence != batch.base_sequence:
            return
        appended = log.append_as_leader(memoryview(bytearray(sent)), 0, now_ms=self.clock.time_ms())
        if not appended.is_duplicate or appended.last_offset != stored.last_offset:
            ledger.fail(f"the batch at {stored.last_offset} was appended twice, at {appended.last_offset}")
        self.counts["duplicates"] += 1
        if log.config.flush_messages == 1 and stored.last_offset >= max(ledger.flushed_end, log.synced_offset):
            self._wait_for_sync(log, ledger, appended.written, stored.last_offset + 1)

    def _batch(self, topic: str, log: PartitionLog) -> tuple[memoryview, int]:
        rng = self.rng
        kind = rng.choice(self.kinds)
        fields: dict[str, Any] = {}
        origin = validation.CLIENT
        now_ms = self.clock.time_ms() - rng.choice((0, 0, 0, 5000))
        count = rng.choice((1, 1, 2, 5))
        if kind == "idempotent" or kind == "transactional":
            producer_id = rng.randrange(3) + (10 if kind == "transactional" else 0)
            known = log.producers.producers.get(producer_id)
            epoch = max(0, known.producer_epoch if known else 0)
            sequence = known.last_sequence + 1 if known and known.batches else 0
            if rng.random() < 0.05:
                epoch, sequence = epoch + 1, 0
                if known is not None and known.current_txn_first_offset != NO_TXN:
                    epoch, sequence = epoch - 1, known.last_sequence + 1
            fields = {"producer_id": producer_id, "producer_epoch": epoch, "base_sequence": sequence}
            fields["transactional"] = kind == "transactional"
        if kind == "marker":
            open_ids = [p for p, entry in log.producers.producers.items() if entry.current_txn_first_offset != NO_TXN]
            if open_ids:
                entry = log.producers.producers[rng.choice(open_ids)]
                type_id = rng.choice((records.CONTROL_ABORT, records.CONTROL_COMMIT))
                value = b"\0\0" + max(entry.coordinator_epoch, 0).to_bytes(4, "big")
                data = build_batch(
                    [Record(0, now_ms, records.control_key(type_id), value)],
                    base_offset=0,
                    producer_id=entry.producer_id,
                    producer_epoch=entry.producer_epoch,
                    transactional=True,
                    control=True,
                )
                return memoryview(bytearray(data)), validation.COORDINATOR
        value = rng.randbytes(rng.choice((0, 10, 60, 200, 900)))
        rows = [Record(n, now_ms + n, b"%d" % rng.randrange(20), value) for n in range(count)]
        return memoryview(bytearray(build_batch(rows, base_offset=0, **fields))), origin

    def _run_io(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        io = self.rng.choice((self.writer, self.flusher))
        if isinstance(io, ShuffledIo) and len(io):
            io.run_one()

    def _flush(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        end = log.next_offset
        life = self.counts["rounds"]

        def done(completion: Completion) -> None:
            if completion.exception() is None and self.counts["rounds"] == life:
                ledger.flushed(min(end, ledger.end_offset))
                self.counts["flushes"] += 1

        upkeep.flush(log).add_done_callback(done)

    def _look(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        if not log.has_pending_writes:
            ledger.check_facts(log, self.rng)

    def _checkpoint(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        dirs = self.dirs
        self.rng.choice(
            (
                dirs.checkpoint_recovery_points,
                dirs.checkpoint_recovery_points,
                dirs.checkpoint_high_watermarks,
                dirs.checkpoint_log_start_offsets,
            )
        )()

    def _upkeep(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        rng = self.rng
        luck = rng.random()
        if luck < 0.3:
            self.clock.advance(rng.choice((1, 500, 5000)))
        elif luck < 0.5:
            self.dirs.check_retention(self.clock.time_ms())
            for name, other in self.ledgers.items():
                if (its_log := self.dirs.get(name, 0)) is not None:
                    # A delete that failed half way has taken segments out all the same.
                    start = max(its_log.log_start_offset, its_log.segments[0].base_offset)
                    other.start_max = max(other.start_max, start)
        elif luck < 0.65 and log.high_watermark > log.log_start_offset:
            upkeep.delete_records(log, rng.randrange(log.log_start_offset, log.high_watermark + 1))
        elif log.active_segment.size:
            self._roll(log)

    def _roll(self, log: PartitionLog) -> None:
        upkeep.roll(log)

    def _cut(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        """As a follower does that has left its leader's log."""
        self.writer.drain()
        if log.log_dir.failure is not None or log.log_end_offset <= log.log_start_offset:
            return
        offset = self.rng.randrange(max(log.log_start_offset, log.log_end_offset - 12), log.log_end_offset + 1)
        with ledger.truncating(offset):
            is_cut = upkeep.truncate_to(log, offset)
        if is_cut:
            self.counts["truncations"] += 1
            self.epochs[topic] += 1  # there is another leader
            # What was sent before the cut is not known any more.
            self._resent[topic].clear()
        log.advance_high_watermark()


_WEIGHTS = (60, 16, 6, 5, 6, 6, 2)
"""Of the actions of a step, in their order."""
