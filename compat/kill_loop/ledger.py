"""What the broker has promised, kept outside of it, and the comparison of its answers with that.

The ledger outlives every kill. It only takes in what a client library reported as acknowledged, and it never forgives:
a broken promise is a violation in words, and the loop ends with all of them. Thread-safe; no I/O.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

VALUE_SIZE_BYTES = 200
_MAX_REPORTED = 50


def make_value(producer: str, number: int) -> bytes:
    """The value of a producer's record: its name, the number, and a filling that both determine."""
    head = f"{producer} {number} "
    return (head * (VALUE_SIZE_BYTES // len(head) + 1))[:VALUE_SIZE_BYTES].encode()


def parse_value(value: bytes | None) -> tuple[str, int] | None:
    """Producer and number of a value, None unless every byte of it is as `make_value` makes it."""
    words = (value or b"").split(b" ", 2)
    if len(words) != 3 or not words[1].isdigit():
        return None
    producer, number = words[0].decode(errors="replace"), int(words[1])
    return (producer, number) if make_value(producer, number) == value else None


@dataclass
class Reading:
    """One pass over the log, in steps: what was seen where. Each step must go on where the last one ended."""

    next_offsets: dict[int, int] = field(default_factory=dict)
    places: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    last_numbers: dict[tuple[str, int], int] = field(default_factory=dict)


class Ledger:
    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.violations: list[str] = []
        self._lock = threading.Lock()
        self._sent: dict[str, int] = {}
        self._acknowledged: dict[tuple[int, int], tuple[str, int]] = {}
        self._ends = dict.fromkeys(range(partitions), 0)
        self._committed: dict[tuple[str, int], int] = {}
        self._attempted: dict[tuple[str, int], int] = {}
        self._commits: dict[str, int] = {}

    def violate(self, text: str) -> None:
        with self._lock:
            self._violate(text)

    def _violate(self, text: str) -> None:
        if len(self.violations) < _MAX_REPORTED:
            self.violations.append(text)

    def send(self, producer: str) -> int:
        """The number of the next record that `producer` is about to hand to its library."""
        with self._lock:
            number = self._sent.get(producer, 0)
            self._sent[producer] = number + 1
            return number

    def acknowledge(self, producer: str, number: int, partition: int, offset: int) -> None:
        with self._lock:
            before = self._acknowledged.setdefault((partition, offset), (producer, number))
            if before != (producer, number):
                self._violate(f"{partition}@{offset} was acknowledged for {before} and for {(producer, number)}")
            self._ends[partition] = max(self._ends[partition], offset + 1)

    @property
    def sent(self) -> int:
        with self._lock:
            return sum(self._sent.values())

    @property
    def acknowledged(self) -> int:
        with self._lock:
            return len(self._acknowledged)

    def commits(self, group: str) -> int:
        """How many commit requests of the group were acknowledged."""
        with self._lock:
            return self._commits.get(group, 0)

    def ends(self) -> dict[int, int]:
        """By partition, the offset behind the last acknowledged record: so far every reader must get."""
        with self._lock:
            return dict(self._ends)

    def attempt_commit(self, group: str, offsets: Mapping[int, int]) -> None:
        """A commit is about to be sent: from now on the broker may answer with these offsets."""
        with self._lock:
            for partition, offset in offsets.items():
                place = (group, partition)
                if offset < self._committed.get(place, 0):
                    self._violate(f"{group} was sent back on {partition}: {offset} after {self._committed[place]}")
                self._attempted[place] = max(offset, self._attempted.get(place, 0))

    def commit(self, group: str, offsets: Mapping[int, int]) -> None:
        """The broker acknowledged a commit."""
        with self._lock:
            self._commits[group] = self._commits.get(group, 0) + 1
            for partition, offset in offsets.items():
                self._committed[group, partition] = max(offset, self._committed.get((group, partition), 0))

    def committed(self, group: str) -> dict[int, int]:
        """By partition, the highest offset whose commit was acknowledged."""
        with self._lock:
            return {partition: offset for (name, partition), offset in self._committed.items() if name == group}

    def check_committed(self, group: str, promised: Mapping[int, int], found: Mapping[int, int]) -> None:
        """`found` is what the broker answers; `promised` is what `committed` gave before it was asked."""
        with self._lock:
            for partition, offset in promised.items():
                if found.get(partition, 0) < offset:
                    self._violate(f"{group}: committed offset of {partition} went back {offset} -> {found}")
            for partition, offset in found.items():
                if offset > self._attempted.get((group, partition), 0):
                    self._violate(f"{group}: nobody ever committed {offset} on {partition}")

    def check_read(self, reading: Reading, records: Iterable[tuple[int, int, bytes | None]]) -> int:
        """Compare (partition, offset, value) triples with the ledger and the reading so far; return how many."""
        count = 0
        with self._lock:
            for partition, offset, value in records:
                count += 1
                expected_offset = reading.next_offsets.get(partition, 0)
                if offset != expected_offset:
                    self._violate(f"{partition}: offset {offset} was read after {expected_offset - 1}")
                reading.next_offsets[partition] = offset + 1
                self._check_record(reading, partition, offset, value)
        return count

    def _check_record(self, reading: Reading, partition: int, offset: int, value: bytes | None) -> None:
        promised = self._acknowledged.get((partition, offset))
        record = parse_value(value)
        if record is None or record[1] >= self._sent.get(record[0], 0):
            self._violate(f"{partition}@{offset}: nobody sent {value!r:.60} (acknowledged there: {promised})")
            return
        if promised is not None and promised != record:
            self._violate(f"{partition}@{offset}: {promised} was acknowledged, {record} is there")
        place = reading.places.setdefault(record, (partition, offset))
        if place != (partition, offset):
            self._violate(f"{record} is there twice: {place} and {(partition, offset)}")
        # One partition at a time a producer's numbers rise: idempotence keeps the order over retries.
        stream = (record[0], partition)
        if record[1] <= reading.last_numbers.get(stream, -1):
            self._violate(f"{partition}@{offset}: {record} stands behind number {reading.last_numbers[stream]}")
        reading.last_numbers[stream] = record[1]

    def check_end(self, reading: Reading, ends: Mapping[int, int]) -> None:
        """The reading must have got to `ends`: what is missing behind it was acknowledged and is lost."""
        with self._lock:
            for partition, end in ends.items():
                if (got := reading.next_offsets.get(partition, 0)) < end:
                    self._violate(f"{partition}: acknowledged up to {end}, readable only up to {got}")

    def check_all_there(self, reading: Reading) -> None:
        """After the last flush: every record ever sent is in the log, once."""
        with self._lock:
            if (missing := sum(self._sent.values()) - len(reading.places)) != 0:
                self._violate(f"{missing} records of {sum(self._sent.values())} are not in the log")
