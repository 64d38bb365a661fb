"""How many segments are held open or mapped at once for their readers: descriptors are few.

When there are too many, the one that was opened first is let go. Views of it that are still in use stay valid, and hold
its mapping until they are gone; who reads the segment again opens it again.
"""

from __future__ import annotations

import resource
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from klamm.log.segment import LogSegment


class OpenSegments:
    """The segments that are open for readers, first opened first. A segment that is gone is not held."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: dict[int, weakref.ref[LogSegment]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def add(self, segment: LogSegment) -> None:
        """A segment has been opened or mapped, maybe anew."""
        held = self._held
        held.pop(id(segment), None)
        held[id(segment)] = weakref.ref(segment)
        if len(held) > self.limit:
            oldest = held.pop(next(iter(held)))()
            if oldest is not None:
                oldest.let_go()


def _limit() -> int:
    """With two descriptors each, a quarter of what the process may open: the rest is for connections and writers."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2048 if soft == resource.RLIM_INFINITY else max(8, min(2048, soft // 8))


OPENED: Final = OpenSegments(_limit())
"""Those of this process: descriptors are the process's, however many nodes run in it."""
