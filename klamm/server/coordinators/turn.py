"""What one command of a coordinator's machine collects on its way to a decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, TypeAlias, TypeVar

from klamm.kproto import errors
from klamm.log.machine import CancelTimer, Decision, SetTimer
from klamm.server.coordinators.coordinator_record import CoordinatorRecord

R = TypeVar("R")
GroupDecision: TypeAlias = Decision[R, CoordinatorRecord]


class Turn:
    """Records to write and timers to set, in order. Made new for each command, given to all that it calls.

    `settled` is what a command itself wants to be told of its records, as in `Decision`.
    """

    __slots__ = ("records", "settled", "timers")

    def __init__(self) -> None:
        self.records: list[CoordinatorRecord] = []
        self.timers: list[SetTimer | CancelTimer] = []
        self.settled: Callable[[int], Decision[Any, CoordinatorRecord] | None] | None = None

    def set_timer(self, key: Hashable, delay_ms: float, command: Callable[[], Decision[Any, Any]]) -> None:
        self.timers.append(SetTimer(key, delay_ms, command))

    def cancel_timer(self, key: Hashable) -> None:
        self.timers.append(CancelTimer(key))

    def decide(self, response: R | asyncio.Future[R]) -> Decision[R, CoordinatorRecord]:
        return Decision(response, self.records, self.timers, self._settled if self.records else None)

    def _settled(self, code: int) -> Decision[Any, CoordinatorRecord] | None:
        """Who waits and whose time runs has changed already: timers count even when the log refuses the records."""
        following = None if self.settled is None else self.settled(code)
        if code == errors.NONE:
            return following
        if following is None:
            return Decision(None, (), self.timers)
        return Decision(None, following.records, [*self.timers, *following.timers], following.settled)
