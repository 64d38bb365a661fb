"""The cleaners' limit of bytes a second (`log.cleaner.io.max.bytes.per.second`), shared by their threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

CHECK_INTERVAL_MS: Final = 300.0


class Throttle:
    """Lets `spend` wait so long that the rate is kept, looking at it every 300 ms, as Kafka's does."""

    def __init__(self, bytes_per_second: float, now_ms: Callable[[], float], wait: Callable[[float], object]) -> None:
        """`now_ms` is a monotonic clock, `wait(seconds)` blocks the calling thread."""
        self.bytes_per_second = bytes_per_second
        """May be changed at any time."""
        self._now_ms = now_ms
        self._wait = wait
        self._since_ms = now_ms()
        self._spent_bytes = 0
        self._lock = threading.Lock()

    def spend(self, size: int) -> None:
        """Account for `size` bytes read or written; from a cleaner's thread."""
        with self._lock:
            self._spent_bytes += size
            now_ms = self._now_ms()
            elapsed_ms = now_ms - self._since_ms
            if elapsed_ms <= CHECK_INTERVAL_MS or not self._spent_bytes:
                return
            due_ms = self._spent_bytes / self.bytes_per_second * 1000
            if due_ms > elapsed_ms:
                self._wait((due_ms - elapsed_ms) / 1000)
            self._since_ms = self._now_ms()
            self._spent_bytes = 0
