"""The time index of a segment (`.timeindex`): where to start looking for a timestamp.

Entries are int64 timestamp, int32 offset relative to the segment's base: up to that offset no record has a higher
timestamp. Timestamps rise strictly; an entry that would not is left out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from klamm.kproto.records import NO_TIMESTAMP
from klamm.log.index_entries import CorruptIndex, IndexEntries


class TimeIndex(IndexEntries):
    """The entries of one time index."""

    __slots__ = ()

    key_type = "q"
    entry_size = 12

    def check(self) -> None:
        """Raise CorruptIndex when the end makes no sense."""
        if len(self._keys) > 1 and self._keys[-2] > self._keys[-1]:
            raise CorruptIndex(f"a time index that ends with timestamp {self._keys[-1]} after {self._keys[-2]}")
        if self._values and self._values[-1] < 0:
            raise CorruptIndex("a time index that ends with an offset below the base offset")

    @property
    def last_timestamp(self) -> int:
        """The highest timestamp, -1 without entries."""
        return self._keys[-1] if self._keys else NO_TIMESTAMP

    def maybe_append(self, timestamp: int, offset: int) -> None:
        """Append an entry, unless the last one has that timestamp or a higher one already."""
        if timestamp > self.last_timestamp:
            self._append(timestamp, offset - self.base_offset)

    def entries(self) -> list[tuple[int, int]]:
        """(timestamp, absolute offset) of every entry."""
        return [(timestamp, self.base_offset + n) for timestamp, n in zip(self._keys, self._values, strict=True)]

    def last_entry(self) -> tuple[int, int]:
        """(timestamp, absolute offset) of the last entry; (-1, base offset) without one."""
        return self._at(len(self._keys) - 1)

    def lookup(self, timestamp: int) -> tuple[int, int]:
        """The last entry (timestamp, absolute offset) of at most `timestamp`; else (-1, base offset)."""
        return self._at(bisect_right(self._keys, timestamp) - 1)

    def _at(self, position: int) -> tuple[int, int]:
        if position < 0:
            return NO_TIMESTAMP, self.base_offset
        return self._keys[position], self.base_offset + self._values[position]

    def truncate_to(self, offset: int) -> None:
        """Drop the entries of `offset` and above."""
        self._keep(bisect_left(self._values, offset - self.base_offset))
