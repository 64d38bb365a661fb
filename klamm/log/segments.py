"""The segments of one log, ordered by base offset.

There is always at least one; the last is the active one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.log.segment import LogSegment


class Segments:
    """A sorted list of segments, searched by offset."""

    __slots__ = ("_base_offsets", "_segments")

    def __init__(self, segments: list[LogSegment]) -> None:
        self._segments = segments
        self._base_offsets = [segment.base_offset for segment in segments]

    def __len__(self) -> int:
        return len(self._segments)

    def __iter__(self) -> Iterator[LogSegment]:
        return iter(self._segments)

    def __getitem__(self, index: int) -> LogSegment:
        return self._segments[index]

    @property
    def last(self) -> LogSegment:
        return self._segments[-1]

    def floor(self, offset: int) -> LogSegment:
        """The segment in whose range `offset` falls; the first one for an offset below it."""
        return self._segments[max(0, bisect_right(self._base_offsets, offset) - 1)]

    def after(self, segment: LogSegment) -> LogSegment | None:
        """The next segment, None after the active one."""
        index = bisect_right(self._base_offsets, segment.base_offset)
        return self._segments[index] if index < len(self._segments) else None

    def from_offset(self, offset: int) -> list[LogSegment]:
        """The segment in whose range `offset` falls, and all later ones."""
        return self._segments[max(0, bisect_right(self._base_offsets, offset) - 1) :]

    def add(self, segment: LogSegment) -> None:
        """Append a segment with a higher base offset than all others."""
        self._segments.append(segment)
        self._base_offsets.append(segment.base_offset)

    def remove(self, segments: list[LogSegment]) -> None:
        gone = {segment.base_offset for segment in segments}
        self._segments = [segment for segment in self._segments if segment.base_offset not in gone]
        self._base_offsets = [segment.base_offset for segment in self._segments]

    def replace(self, old: list[LogSegment], new: LogSegment) -> None:
        """Put `new` in the place of the neighbours `old`."""
        gone = {segment.base_offset for segment in old}
        kept = [segment for segment in self._segments if segment.base_offset not in gone]
        self._segments = sorted([*kept, new], key=lambda segment: segment.base_offset)
        self._base_offsets = [segment.base_offset for segment in self._segments]
