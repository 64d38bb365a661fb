"""Admission by memory: how many bytes of unfinished requests a node holds at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class RequestMemory:
    """A budget that large frames draw on while they arrive and are served.

    A connection that goes over it is told to pause and is called back, first come first served, when there is room.
    One frame is always let in, however large, so that a budget smaller than a frame cannot stop the node.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, size: int) -> None:
        """Count `size` more bytes as held."""
        self.used_bytes += size

    def give(self, size: int) -> None:
        """Count `size` bytes as released and wake who waits for room."""
        self.used_bytes -= size
        while self._waiting and self.used_bytes < self.limit_bytes:
            self._waiting.popleft()()

    @property
    def exhausted(self) -> bool:
        return self.used_bytes >= self.limit_bytes

    def when_free(self, resume: Callable[[], None]) -> None:
        """Have `resume` called once there is room."""
        self._waiting.append(resume)
