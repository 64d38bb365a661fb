"""How many segments are mapped at once: a mapping keeps a descriptor, of which a process has few.

When there are too many, the one that was mapped first is let go. Views of it that are still in use stay valid, and hold
its mapping until they are gone; who reads the segment again maps it again.
"""

from __future__ import annotations

import resource
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from klamm.log.segment import LogSegment


class MappedSegments:
    """The segments that are mapped, oldest mapping first. A segment that is gone is not held."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: dict[int, weakref.ref[LogSegment]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def add(self, segment: LogSegment) -> None:
        """A segment has been mapped, maybe anew."""
        held = self._held
        held.pop(id(segment), None)
        held[id(segment)] = weakref.ref(segment)
        if len(held) > self.limit:
            oldest = held.pop(next(iter(held)))()
            if oldest is not None:
                oldest.unmap()


def _limit() -> int:
    """A quarter of what the process may open: the rest is for connections and for segments that are written to."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4096 if soft == resource.RLIM_INFINITY else max(8, min(4096, soft // 4))


MAPPED: Final = MappedSegments(_limit())
"""Those of this process: descriptors are the process's, however many nodes run in it."""
