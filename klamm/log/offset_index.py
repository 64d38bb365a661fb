"""The offset index of a segment (`.index`): where to start looking for an offset.

Entries are int32 offset relative to the segment's base, int32 byte position. An entry names the *last* offset of the
batch that begins at the position, as Kafka's does, so that a lookup of that very offset finds its batch.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from klamm.log.index_entries import CorruptIndex, IndexEntries


class OffsetIndex(IndexEntries):
    """The entries of one offset index."""

    __slots__ = ()

    key_type = "i"
    entry_size = 8

    def check(self, segment_size: int) -> None:
        """Raise CorruptIndex when the last entry makes no sense for a segment of `segment_size` bytes."""
        if self._keys:
            relative, position = self._keys[-1], self._values[-1]
            if relative < 0 or not 0 < position < segment_size:  # the first batch never has an entry
                raise CorruptIndex(f"an index that ends with offset {relative} at {position} of {segment_size} bytes")

    def append(self, offset: int, position: int) -> None:
        self._append(offset - self.base_offset, position)

    def entries(self) -> list[tuple[int, int]]:
        """(absolute offset, position) of every entry."""
        return [(self.base_offset + n, position) for n, position in zip(self._keys, self._values, strict=True)]

    def lookup(self, offset: int) -> tuple[int, int]:
        """The last entry (absolute offset, position) with an offset of at most `offset`; else (base offset, 0)."""
        found = bisect_right(self._keys, offset - self.base_offset)
        if found == 0:
            return self.base_offset, 0
        return self.base_offset + self._keys[found - 1], self._values[found - 1]

    def floor_position(self, position: int) -> tuple[int, int]:
        """The entry (absolute offset, position) with the highest position up to `position`; else (base offset, 0)."""
        found = bisect_right(self._values, position)
        if found == 0:
            return self.base_offset, 0
        return self.base_offset + self._keys[found - 1], self._values[found - 1]

    def entry_from(self, position: int) -> tuple[int, int] | None:
        """The first entry (absolute offset, position) whose position is at least `position`; None if there is none."""
        found = bisect_left(self._values, position)
        if found == 0 and self._values and self._values[0] == position:
            found = 1  # Kafka's search passes over the first entry when it stands at that very place
        return (self.base_offset + self._keys[found], self._values[found]) if found < len(self._values) else None

    def truncate_to(self, offset: int) -> None:
        """Drop the entries of `offset` and above."""
        self._keep(bisect_left(self._keys, offset - self.base_offset))
