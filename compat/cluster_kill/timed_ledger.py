"""A ledger that also knows for how long producers could not go on: until each partition took a new record."""

from __future__ import annotations

import time

from compat.kill_loop.ledger import Ledger


class TimedLedger(Ledger):
    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self._marked = 0.0
        self._marks: dict[str, int] = {}
        self._went_on: dict[str, dict[int, float]] = {}

    def mark(self) -> None:
        """From now on it counts: records that producers send after this."""
        with self._lock:
            self._marked = time.monotonic()
            self._marks = dict(self._sent)
            self._went_on = {producer: {} for producer in self._marks}

    def acknowledge(self, producer: str, number: int, partition: int, offset: int) -> None:
        super().acknowledge(producer, number, partition, offset)
        with self._lock:
            if number >= self._marks.get(producer, 0) and producer in self._went_on:
                self._went_on[producer].setdefault(partition, time.monotonic())

    def went_on_ms(self) -> dict[str, int | None]:
        """By producer, how long after the mark the last partition took a record; None: some have not yet."""
        with self._lock:
            return {
                producer: round((max(taken.values()) - self._marked) * 1000) if len(taken) == self.partitions else None
                for producer, taken in self._went_on.items()
            }
