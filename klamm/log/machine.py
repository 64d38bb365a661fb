"""The one pattern for replicated state: commands decide, records are appended and applied, answers wait for the commit.

A machine never reads a clock, draws a random number or does I/O; the driver owns the log, the timers and the waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.seams import Clock, Timer

R = TypeVar("R")
Rec = TypeVar("Rec")
RecIn = TypeVar("RecIn", contravariant=True)


class SetTimer(NamedTuple):
    """Run `command` through the driver after `delay_ms`, in place of an earlier timer of the same key."""

    key: Hashable
    delay_ms: float
    command: Callable[[], Decision[Any, Any]]


class CancelTimer(NamedTuple):
    """Forget the timer of that key, if there is one."""

    key: Hashable


class Decision(Generic[R, Rec]):
    """What a command wants: an answer, the records that make it true, and timers to set or cancel.

    `response` may be an awaitable (a member that waits for its group); it is awaited after the records are committed.
    """

    __slots__ = ("records", "response", "timers")

    def __init__(
        self,
        response: R | Awaitable[R],
        records: Sequence[Rec] = (),
        timers: Sequence[SetTimer | CancelTimer] = (),
    ) -> None:
        self.response = response
        self.records = records
        self.timers = timers


class Machine(Protocol[RecIn]):
    """State that is rebuilt by applying the records of a log in order."""

    def apply(self, record: RecIn) -> None:
        """The only mutation of what is persisted. Must accept every record of the log."""
        ...


class RecordLog(Protocol[RecIn]):
    """The log under a machine: `__cluster_metadata` over Raft, or one partition of a coordinator's topic."""

    def append(self, records: Sequence[RecIn]) -> int:
        """Append as one atomic batch and give the offset behind it. Raises KafkaError (NOT_COORDINATOR, ...)."""
        ...

    @property
    def high_watermark(self) -> int:
        """Everything below is committed."""
        ...

    def on_commit(self, callback: Callable[[int], None]) -> None:
        """Have `callback(high_watermark)` called whenever the high watermark advances."""
        ...


class Driver(Generic[Rec]):
    """Runs a machine on a log: append, apply, and hold each answer until the high watermark covers it.

    An answer that wrote nothing still waits for what it may have read: the records appended before it.
    """

    def __init__(self, machine: Machine[Rec], log: RecordLog[Rec], clock: Clock) -> None:
        self._machine, self._log, self._clock = machine, log, clock
        self._end = log.high_watermark
        self._parked: deque[tuple[int, asyncio.Future[Any], Any]] = deque()
        self._timers: dict[Hashable, Timer] = {}
        self._closed: int = errors.NONE
        log.on_commit(self._committed)

    def execute(self, command: Callable[[], Decision[R, Rec]]) -> R | Awaitable[R]:
        """Run `command` now. Gives its answer, or an awaitable of it. Raises KafkaError, as the command or log does."""
        if self._closed:
            raise KafkaError(self._closed)
        decision = command()
        if decision.records:
            self._end = self._log.append(decision.records)
            for record in decision.records:
                self._machine.apply(record)
        for timer in decision.timers:
            self._set(timer)
        if self._log.high_watermark >= self._end:
            return decision.response
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._parked.append((self._end, future, decision.response))
        return _then(future)

    def close(self, code: int) -> None:
        """Stop: timers are cancelled and every answer still waiting fails with `code`."""
        self._closed = code
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._parked:
            _, future, _ = self._parked.popleft()
            if not future.done():
                future.set_exception(KafkaError(code))

    def _committed(self, high_watermark: int) -> None:
        while self._parked and self._parked[0][0] <= high_watermark:
            _, future, response = self._parked.popleft()
            if not future.done():
                future.set_result(response)

    def _set(self, timer: SetTimer | CancelTimer) -> None:
        old = self._timers.pop(timer.key, None)
        if old is not None:
            old.cancel()
        if isinstance(timer, SetTimer):
            self._timers[timer.key] = self._clock.call_later(timer.delay_ms, lambda: self._fire(timer))

    def _fire(self, timer: SetTimer) -> None:
        self._timers.pop(timer.key, None)
        if not self._closed:
            self.execute(timer.command)


async def _then(future: asyncio.Future[Any]) -> Any:
    response = await future
    return await response if isinstance(response, Awaitable) else response
