"""Long work on the event loop, a slice each turn, so that nobody else's requests and heartbeats wait for all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from klamm.seams import Clock, Timer

STEPS_PER_TURN: Final = 32
MS_PER_TURN: Final = 10.0
"""A turn has no further step after that: each may wait for a disk that others keep busy."""


class InTurns:
    """Works one after the other, in the order in which they came. A work is an iterator: what it does until it yields
    is a step. What takes no more than `STEPS_PER_TURN` steps and `MS_PER_TURN` is done at once, unless earlier work is
    under way.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._works: deque[Iterator[None]] = deque()
        self._timer: Timer | None = None

    def do(self, work: Iterator[None]) -> None:
        self._works.append(work)
        if self._timer is None:
            self._turn()

    def _turn(self) -> None:
        self._timer = None
        end_ms = self._clock.monotonic_ms() + MS_PER_TURN
        for _ in range(STEPS_PER_TURN):
            while next(self._works[0], self) is self:
                self._works.popleft()
                if not self._works:
                    return
            if self._clock.monotonic_ms() >= end_ms:
                break
        self._timer = self._clock.call_later(0, self._turn)

    def close(self) -> None:
        """Leave the rest undone."""
        self._works.clear()
        if self._timer is not None:
            self._timer.cancel()
