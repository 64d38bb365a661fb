"""What both indexes of a segment are: fixed-size entries in rising order, held in memory.

The index of the active segment grows in memory only; what its file lacks (`unwritten`) is written at a roll, a flush
and a close. After a crash an index is rebuilt from its segment, so that the file is never trusted beyond a flush.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import ClassVar


class CorruptIndex(Exception):
    """An index file that is missing or cannot be one; it is rebuilt from its segment."""


class IndexEntries:
    """A sorted array of packed entries."""

    __slots__ = ("_data", "_dirty_from", "base_offset")

    entry: ClassVar[struct.Struct]

    def __init__(self, base_offset: int, data: bytes | None = None) -> None:
        """`data`: the bytes of the file, with the zeros at its end that Kafka preallocates; None: there is no file."""
        self.base_offset = base_offset
        self._data = bytearray() if data is None else bytearray(data[: _used(data, self.entry.size)])
        self._dirty_from: int | None = 0 if data is None else None

    def __len__(self) -> int:
        return len(self._data) // self.entry.size

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    def _append(self, first: int, second: int) -> None:
        if self._dirty_from is None:
            self._dirty_from = len(self._data)
        self._data += self.entry.pack(first, second)

    def _count_to(self, value: int, field: struct.Struct, at: int) -> int:
        """How many entries have at most `value` in the field that stands `at` bytes into them."""
        data, size = self._data, self.entry.size

        def read(entry: int) -> int:
            return int(field.unpack_from(data, entry * size + at)[0])

        return bisect_right(range(len(data) // size), value, key=read)

    def _keep(self, count: int) -> None:
        """Drop all entries but the first `count`."""
        if count < len(self):
            del self._data[count * self.entry.size :]
            self._dirty_from = 0

    def clear(self) -> None:
        self._data.clear()
        self._dirty_from = 0

    def unwritten(self) -> tuple[int, bytes] | None:
        """(position, bytes) that the file lacks, from now on taken as written; None when it has all.

        Position 0 means that the file is to hold exactly these bytes.
        """
        start = self._dirty_from
        if start is None:
            return None
        self._dirty_from = None
        return start, bytes(self._data[start:])


def _used(data: bytes, size: int) -> int:
    """The bytes before the zeros. No entry but the first can be all zeros, as entries rise."""
    count = len(data) // size
    if count < 2 or any(data[(count - 1) * size : count * size]):
        return count * size
    return -(-len(data.rstrip(b"\0")) // size) * size
