"""A clock that stands still until a test moves it."""

from __future__ import annotations

import heapq
from collections.abc import Callable

START_MS = 1_700_000_000_000


class FakeTimer:
    """A pending call of `FakeClock`."""

    def __init__(self, due_ms: float, callback: Callable[[], None]) -> None:
        self.due_ms, self.callback, self.is_cancelled = due_ms, callback, False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeClock:
    """`klamm.seams.Clock` by hand. `advance` runs what falls due, each call at its own time and in order."""

    def __init__(self, now_ms: float = START_MS) -> None:
        self.now_ms = now_ms
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._count = 0

    def time_ms(self) -> int:
        return int(self.now_ms)

    def monotonic_ms(self) -> float:
        return self.now_ms - START_MS

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(self.now_ms + max(delay_ms, 0), callback)
        self._count += 1
        heapq.heappush(self._timers, (timer.due_ms, self._count, timer))
        return timer

    def advance(self, ms: float) -> None:
        end_ms = self.now_ms + ms
        while self._timers and self._timers[0][0] <= end_ms:
            due_ms, _, timer = heapq.heappop(self._timers)
            self.now_ms = max(self.now_ms, due_ms)
            if not timer.is_cancelled:
                timer.callback()
        self.now_ms = end_ms

    @property
    def pending(self) -> int:
        """Calls still to come."""
        return sum(not timer.is_cancelled for _, _, timer in self._timers)
