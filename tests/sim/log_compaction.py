"""Compacted partitions in the simulation: cleaning passes on the faulty disk, and what may go by them and what may not.

Of every key the newest flushed record, or a newer one, must be there, at the offset and with the bytes it was given;
nothing may be read that was not appended.
"""

from __future__ import annotations

import random
from typing import Any

from klamm.kproto import records
from klamm.log.cleaner.log_cleaner import LogCleaner
from klamm.log.cleaner.plan import CleanerSettings
from klamm.log.faulty_disk import FaultyDisk
from klamm.log.io_thread import InlineIo
from klamm.log.partition_log import PartitionLog
from tests.sim.log_ledger import Ledger
from tests.sim.log_world import ShuffledIo, World

SETTINGS = CleanerSettings(backoff_ms=50, dedupe_buffer_bytes=1 << 16, io_buffer_bytes=8192)


class CompactLedger(Ledger):
    """Compares records instead of batches: cleaning takes records out of batches and batches out of the log."""

    def _survived(self, batches: list[bytes], start: int, end: int) -> None:
        given = {record.offset: (record.key, record.value) for record in self._records([e.data for e in self.entries])}
        there = {record.offset: (record.key, record.value) for record in self._records(batches)}
        for offset, row in there.items():
            if given.get(offset) != row:
                self.fail(f"offset {offset} is read as {str(row)[:60]}, given was {str(given.get(offset))[:60]}")
        newest: dict[bytes | None, int] = {}
        for offset, (key, _) in there.items():
            newest[key] = max(offset, newest.get(key, -1))
        for offset, (key, _) in given.items():
            if offset < self.flushed_end and newest.get(key, -1) < offset:
                self.fail(f"the record of key {key!r} at {offset} is lost, all below {self.flushed_end} was flushed")
        # What was not flushed and is not there was never there.
        self.entries = [
            entry
            for entry in self.entries
            if entry.next_offset <= self.flushed_end
            or any(n in there for n in range(entry.base_offset, entry.next_offset))
        ]

    @staticmethod
    def _records(batches: list[bytes]) -> list[records.Record]:
        return [
            record
            for data in batches
            for batch in records.batches(data)
            if not batch.is_control
            for record in records.iter_records(batch)
        ]

    def check_facts(self, log: PartitionLog, rng: random.Random) -> None:
        """What is read from any offset on is what is read there from the start."""
        if log.log_end_offset <= log.log_start_offset:
            return
        whole = self._records(self._read_all(log))
        offset = rng.randrange(log.log_start_offset, log.log_end_offset)
        found = bytes(log.read(offset, 1, max_offset=log.log_end_offset).data)
        rest = [record for record in self._records([found]) if record.offset >= offset] if found else []
        wanted = [record for record in whole if record.offset >= offset][: len(rest)]
        if [(r.offset, r.value) for r in rest] != [(r.offset, r.value) for r in wanted]:
            self.fail(f"read from {offset} on are {[r.offset for r in rest]}, there are {[r.offset for r in wanted]}")


class CompactingWorld(World):
    """All partitions are compacted, and a cleaner is at work. Records are keyed, and of no transaction."""

    kinds = ("plain", "idempotent")

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        # A swap is many renames: whole after a crash only if the file system keeps their order, as for Kafka.
        self.disk = FaultyDisk(seed, sector_bytes=self.disk.sector_bytes, is_ordered=True)
        self.ledgers = {topic: CompactLedger(topic) for topic in self.configs}

    def _config(self) -> dict[str, Any]:
        return super()._config() | {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": 0.01,
            "retention.bytes": -1,
            "internal.segment.bytes": self.rng.choice((600, 2000)),
        }

    def _start(self) -> None:
        super()._start()
        self.cleaning = ShuffledIo(self.rng) if self.is_deferred else InlineIo()
        self.cleaner = self.dirs.cleaner = LogCleaner(self.dirs, SETTINGS, lambda _: self.cleaning)
        self.cleaner.start()

    def _close(self) -> None:
        self.cleaner.close()
        super()._close()

    def _upkeep(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        luck = self.rng.random()
        if luck < 0.7:
            before = self.cleaner.metrics.runs
            self.clock.advance(50)
            self.counts["passes"] += self.cleaner.metrics.runs - before
        elif log.active_segment.size:
            self._roll(log)

    def _cut(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        """No follower cuts off what was below the high watermark, and nothing else is ever cleaned."""

    def _run_io(self, topic: str, log: PartitionLog, ledger: Ledger) -> None:
        if isinstance(self.cleaning, ShuffledIo) and len(self.cleaning) and self.rng.random() < 0.5:
            self.cleaning.run_one()
        else:
            super()._run_io(topic, log, ledger)
