"""The offset index of a segment (`.index`): where to start looking for an offset.

Entries are int32 offset relative to the segment's base, int32 byte position. An entry names the *last* offset of the
batch that begins at the position, as Kafka's does, so that a lookup of that very offset finds its batch.
"""

from __future__ import annotations

import struct
from typing import Final

from klamm.log.index_entries import CorruptIndex, IndexEntries

_INT32: Final = struct.Struct(">i")


class OffsetIndex(IndexEntries):
    """The entries of one offset index."""

    __slots__ = ()

    entry = struct.Struct(">ii")

    def check(self, segment_size: int) -> None:
        """Raise CorruptIndex when the last entry makes no sense for a segment of `segment_size` bytes."""
        if self._data:
            relative, position = self.entry.unpack_from(self._data, len(self._data) - 8)
            if relative < 0 or not 0 <= position < segment_size:
                raise CorruptIndex(f"an index that ends with offset {relative} at {position} of {segment_size} bytes")

    def append(self, offset: int, position: int) -> None:
        self._append(offset - self.base_offset, position)

    def entries(self) -> list[tuple[int, int]]:
        """(absolute offset, position) of every entry."""
        return [(self.base_offset + relative, position) for relative, position in self.entry.iter_unpack(self._data)]

    def lookup(self, offset: int) -> tuple[int, int]:
        """The last entry (absolute offset, position) with an offset of at most `offset`; else (base offset, 0)."""
        found = self._count_to(offset - self.base_offset, _INT32, 0)
        if found == 0:
            return self.base_offset, 0
        relative, position = self.entry.unpack_from(self._data, (found - 1) * 8)
        return self.base_offset + relative, position

    def floor_position(self, position: int) -> int:
        """The highest indexed position that is at most `position`, the start of a batch; 0 if there is none."""
        found = self._count_to(position, _INT32, 4)
        return int(_INT32.unpack_from(self._data, found * 8 - 4)[0]) if found else 0

    def offset_from(self, position: int) -> int | None:
        """The offset of the first entry whose position is at least `position`; None if there is none."""
        found = self._count_to(position - 1, _INT32, 4)
        return self.base_offset + int(_INT32.unpack_from(self._data, found * 8)[0]) if found < len(self) else None

    def truncate_to(self, offset: int) -> None:
        """Drop the entries of `offset` and above."""
        self._keep(self._count_to(offset - 1 - self.base_offset, _INT32, 0))
