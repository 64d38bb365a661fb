"""The time index of a segment (`.timeindex`): where to start looking for a timestamp.

Entries are int64 timestamp, int32 offset relative to the segment's base: up to that offset no record has a higher
timestamp. Timestamps rise strictly; an entry that would not is left out.
"""

from __future__ import annotations

import struct
from typing import Final

from klamm.kproto.records import NO_TIMESTAMP
from klamm.log.index_entries import CorruptIndex, IndexEntries

_INT64: Final = struct.Struct(">q")
_INT32: Final = struct.Struct(">i")


class TimeIndex(IndexEntries):
    """The entries of one time index."""

    __slots__ = ("last_timestamp",)

    entry = struct.Struct(">qi")

    def __init__(self, base_offset: int, data: bytes | None = None) -> None:
        super().__init__(base_offset, data)
        self.last_timestamp = self.last_entry()[0]

    def check(self) -> None:
        """Raise CorruptIndex when the end makes no sense."""
        if len(self) > 1:
            before, _ = self.entry.unpack_from(self._data, len(self._data) - 24)
            if before > self.last_timestamp:
                raise CorruptIndex(f"a time index that ends with timestamp {self.last_timestamp} after {before}")
        if self.last_entry()[1] < self.base_offset:
            raise CorruptIndex("a time index that ends with an offset below the base offset")

    def maybe_append(self, timestamp: int, offset: int) -> None:
        """Append an entry, unless the last one has that timestamp or a higher one already."""
        if timestamp > self.last_timestamp:
            self._append(timestamp, offset - self.base_offset)
            self.last_timestamp = timestamp

    def entries(self) -> list[tuple[int, int]]:
        """(timestamp, absolute offset) of every entry."""
        return [(timestamp, self.base_offset + relative) for timestamp, relative in self.entry.iter_unpack(self._data)]

    def last_entry(self) -> tuple[int, int]:
        """(timestamp, absolute offset) of the last entry; (-1, base offset) without one."""
        return self._at(len(self) - 1)

    def lookup(self, timestamp: int) -> tuple[int, int]:
        """The last entry (timestamp, absolute offset) of at most `timestamp`; else (-1, base offset)."""
        return self._at(self._count_to(timestamp, _INT64, 0) - 1)

    def _at(self, position: int) -> tuple[int, int]:
        if position < 0:
            return NO_TIMESTAMP, self.base_offset
        timestamp, relative = self.entry.unpack_from(self._data, position * 12)
        return timestamp, self.base_offset + relative

    def truncate_to(self, offset: int) -> None:
        """Drop the entries of `offset` and above."""
        self._keep(self._count_to(offset - 1 - self.base_offset, _INT32, 8))
        self.last_timestamp = self.last_entry()[0]

    def clear(self) -> None:
        super().clear()
        self.last_timestamp = NO_TIMESTAMP
