"""What one partition was given, and everything that its log must agree with: kept outside of the log.

A log may lose what was not synced, and nothing else; what it has is what was appended, at the offsets that were given.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from klamm.kproto import records
from klamm.kproto.records import Batch
from klamm.log import timestamps
from klamm.log.partition_log import PartitionLog
from klamm.log.producer_replay import take_batch
from klamm.log.producer_snapshot import encode
from klamm.log.producer_state import ProducerState

EVERYTHING = 1 << 30


class Violation(AssertionError):
    """The log broke a promise."""


class Entry(NamedTuple):
    """A batch as it was given its place, `data` with the offset and epoch in it."""

    base_offset: int
    next_offset: int
    data: bytes

    @property
    def batch(self) -> Batch:
        return next(records.batches(self.data))


class Ledger:
    """The batches of one partition. `flushed_end`: all below was said to be synced."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[Entry] = []
        self._deleted: list[Entry] = []
        self.flushed_end = 0
        self.restarted_end = 0
        """Where the log ended at the last start. What a start finds is shown to readers, as in Kafka."""
        self.start_max = 0
        """The highest start that the log has had: retention and DeleteRecords may be undone by a crash, never done."""

    def fail(self, what: str) -> None:
        raise Violation(f"{self.name}: {what}")

    @property
    def end_offset(self) -> int:
        return self.entries[-1].next_offset if self.entries else 0

    def add(self, data: bytes) -> None:
        batch = next(records.batches(data))
        if batch.base_offset < self.end_offset:
            self.fail(f"offset {batch.base_offset} is given again, the log ended at {self.end_offset}")
        self.entries.append(Entry(batch.base_offset, batch.next_offset, data))

    def flushed(self, end_offset: int) -> None:
        self.flushed_end = max(self.flushed_end, end_offset)

    @contextmanager
    def truncating(self, offset: int) -> Iterator[None]:
        """All from `offset` on is cut away; if that does not come to its end it may be there, or not."""
        before = self.entries
        self.entries = [entry for entry in before if entry.next_offset <= offset]
        end_offset = self.end_offset
        try:
            yield
        except BaseException:
            self.entries = before
            raise
        finally:
            self.flushed_end = min(self.flushed_end, end_offset)

    # -- after a restart --

    def check_restarted(self, log: PartitionLog | None, recovery_point: int) -> None:
        """Compare a log with all that is known of it; what was not synced and is gone is forgotten.

        `recovery_point` is what the checkpoint said before the start.
        """
        if log is None:
            if self.flushed_end > 0:
                self.fail(f"the log is gone, all below {self.flushed_end} was flushed")
            self.entries.clear()
            return
        end, start = log.log_end_offset, log.log_start_offset
        if end < self.flushed_end:
            self.fail(f"the log ends at {end}, all below {self.flushed_end} was flushed")
        if end < recovery_point:
            self.fail(f"the log ends at {end}, the recovery point was {recovery_point}")
        if any(self.start_max < entry.next_offset <= min(start, self.flushed_end) for entry in self.entries):
            self.fail(f"the log starts at {start}, it never started above {self.start_max}")
        self.start_max = max(self.start_max, start)
        if not start <= log.last_stable_offset <= log.high_watermark <= end or log.recovery_point > end:
            self.fail(
                f"offsets out of order: start {start}, stable {log.last_stable_offset}, high watermark "
                f"{log.high_watermark}, recovery point {log.recovery_point}, end {end}"
            )
        self._survived(self._read_all(log), start, end)

    def _read_all(self, log: PartitionLog) -> list[bytes]:
        batches = []
        offset = log.log_start_offset
        while offset < log.log_end_offset:
            data = bytes(log.read(offset, EVERYTHING, max_offset=log.log_end_offset).data)
            found = [bytes(batch.view) for batch in records.batches(data)]
            if not found:
                break  # a roll has come through a crash, what was written before it has not
            batches += found
            offset = next(records.batches(found[-1])).next_offset
        return batches

    def _survived(self, batches: list[bytes], start: int, end: int) -> None:
        known = {entry.data: entry for entry in self.entries}
        kept = []
        for data in batches:
            entry = known.get(data)
            if entry is None:
                stranger = next(records.batches(data))
                epoch = stranger.partition_leader_epoch
                raise Violation(f"{self.name}: the batch at {stranger.base_offset} (epoch {epoch}) was not given there")
            kept.append(entry)
        if kept and kept[-1].next_offset > end:
            self.fail(f"the last batch ends at {kept[-1].next_offset}, the log at {end}")
        there = {entry.base_offset for entry in kept}
        for entry in self.entries:
            # What was deleted may be back, in part.
            if self.start_max < entry.next_offset <= self.flushed_end and entry.base_offset not in there:
                self.fail(f"the batch at {entry.base_offset} is lost, all below {self.flushed_end} was flushed")
        below = [entry for entry in self.entries if entry.base_offset not in there]
        # What was deleted has left its traces in producers and transactions.
        self._deleted += [entry for entry in below if entry.next_offset <= max(start, self.start_max)]
        self.entries = kept

    # -- at any time --

    def check_facts(self, log: PartitionLog, rng: random.Random) -> None:
        """Producers, epochs, indexes, aborted transactions of a log that holds exactly the entries."""
        start = log.log_start_offset
        entries = [entry for entry in self.entries if entry.next_offset > start]
        self._check_producers(log, start)
        self._check_epochs(log, entries)
        for entry in rng.sample(entries, min(4, len(entries))):
            self._check_read(log, entry, rng.randrange(max(start, entry.base_offset), entry.next_offset))
        self._check_times(log, entries, start, rng)
        self._check_aborted(log, start)

    def _check_epochs(self, log: PartitionLog, entries: list[Entry]) -> None:
        """Every batch stands in its own epoch. Below the first one known a crash may have taken the log start back."""
        known = log.epochs.entries()
        first = known[0][1] if known else log.log_end_offset
        for entry in entries:
            epoch = entry.batch.partition_leader_epoch
            if log.epochs.epoch_for(entry.next_offset - 1) != epoch and entry.base_offset >= min(first, self.start_max):
                self.fail(f"the batch at {entry.base_offset} has epoch {epoch}, the epochs begin at {known}")

    def _check_read(self, log: PartitionLog, entry: Entry, offset: int) -> None:
        data = bytes(log.read(offset, 1, max_offset=log.log_end_offset).data)
        if data != entry.data:
            self.fail(f"offset {offset} is read as something else than the batch at {entry.base_offset}")

    def _check_times(self, log: PartitionLog, entries: list[Entry], start: int, rng: random.Random) -> None:
        rows = [
            (record.timestamp, record.offset)
            for entry in entries
            for record in records.iter_records(entry.batch)
            if record.offset >= start
        ]
        for wanted, _ in rng.sample(rows, min(2, len(rows))):
            expected = next(offset for timestamp, offset in rows if timestamp >= wanted)
            found = timestamps.offset_for_timestamp(log, wanted)
            if found is None or found.offset != expected:
                self.fail(f"the first record at {wanted} or later is {expected}, found is {found}")

    def replay(self) -> tuple[ProducerState, list[tuple[int, int, int]]]:
        """The producers that all batches make, deleted ones too; (id, first, last) of what was aborted."""
        state = ProducerState()
        aborted = []
        for entry in self._ever():
            batch = entry.batch
            if batch.producer_id >= 0:
                completed = take_batch(state, records.HEADER.unpack_from(entry.data), memoryview(entry.data))
                if completed is not None and completed.is_aborted:
                    aborted.append((completed.producer_id, completed.first_offset, completed.last_offset))
        return state, aborted

    def _ever(self) -> list[Entry]:
        return sorted([*self._deleted, *self.entries])

    def _check_producers(self, log: PartitionLog, start: int) -> None:
        expected, _ = self.replay()
        got = log.producers.producers
        for producer_id, entry in expected.producers.items():
            if not self._is_derivable(producer_id, max(start, self.start_max)):
                continue  # known from snapshots only, which may be lost with the segments they stood for
            found = got.get(producer_id)
            if found is None or encode([found]) != encode([entry]):
                self.fail(f"producer {producer_id} is {_told(found)}, its batches say {_told(entry)}")
        strangers = set(got) - set(expected.producers)
        if strangers:
            self.fail(f"producers {sorted(strangers)} have no batch")

    def _is_derivable(self, producer_id: int, start: int) -> bool:
        """Whether all that the log knows of a producer follows from batches that are still there."""
        batches = [entry.batch for entry in self._ever()]
        return all(batch.base_offset >= start for batch in batches if batch.producer_id == producer_id)

    def _check_aborted(self, log: PartitionLog, start: int) -> None:
        _, expected = self.replay()
        found: set[tuple[int, int, int]] = set()
        offset = start
        while offset < log.log_end_offset:
            fetched = log.read(offset, EVERYTHING, max_offset=log.log_end_offset, aborted=True)
            rows = [(row.producer_id, row.first_offset, row.last_offset) for row in fetched.aborted or ()]
            if len(rows) != len(set(rows)):
                self.fail(f"an aborted transaction is told twice: {rows}")
            found.update(rows)
            if not fetched.data:
                break
            *_, last = records.batches(bytes(fetched.data))
            offset = last.next_offset
        start = max(start, self.start_max)
        wanted = {row for row in expected if row[1] >= start and self._is_derivable(row[0], start)}
        if not wanted <= found:
            self.fail(f"aborted transactions {sorted(wanted - found)} are not told")
        if extra := {row for row in found if row not in expected and self._is_derivable(row[0], start)}:
            self.fail(f"transactions {sorted(extra)} are told as aborted and were not")


def _told(entry: Any) -> str:
    if entry is None:
        return "unknown"
    names = ("producer_epoch", "last_sequence", "last_offset", "coordinator_epoch", "current_txn_first_offset")
    return ", ".join(f"{name} {getattr(entry, name)}" for name in names)
