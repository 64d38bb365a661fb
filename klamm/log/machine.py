"""The one pattern for replicated state: commands decide, records are appended and applied, answers wait for the commit.

A machine never reads a clock, draws a random number or does I/O; the driver owns the log, the timers and the waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.seams import Clock, Timer

log = logging.getLogger(__name__)

R = TypeVar("R")
R2 = TypeVar("R2")
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

    `response` may be a future (a member that waits for its group); it is looked at after the records are committed.
    `settled` is told what became of the records: NONE once they are committed, the error's code when the log refused
    them. What it decides is carried out in turn; it is not called any more once the driver is closed.
    """

    __slots__ = ("records", "response", "settled", "timers")

    def __init__(
        self,
        response: R | asyncio.Future[R],
        records: Sequence[Rec] = (),
        timers: Sequence[SetTimer | CancelTimer] = (),
        settled: Callable[[int], Decision[Any, Rec] | None] | None = None,
    ) -> None:
        self.response = response
        self.records = records
        self.timers = timers
        self.settled = settled

    def map(self, shape: Callable[[R], R2]) -> Decision[R2, Rec]:
        """The same with another form of the response, which must be there already."""
        assert not isinstance(self.response, asyncio.Future)
        return Decision(shape(self.response), self.records, self.timers, self.settled)


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


class _Parked(NamedTuple):
    """What waits for the high watermark: an answer (`future`), or a decision that is to be told (`settled`)."""

    end_offset: int
    decision: Decision[Any, Any]
    future: asyncio.Future[Any] | None
    failed: Callable[[int], Any] | None


class Driver(Generic[Rec]):
    """Runs a machine on a log: append, apply, and hold each answer until the high watermark covers it.

    An answer that wrote nothing still waits for what it may have read: the records appended before it.
    """

    def __init__(
        self,
        machine: Machine[Rec],
        log: RecordLog[Rec],
        clock: Clock,
        end_offset: int | None = None,
        applied: Callable[[], None] | None = None,
    ) -> None:
        """`end_offset`: behind the last record that was replayed into `machine`, if that is past the high watermark.

        `applied` is called when the records of a batch have been applied.
        """
        self._machine, self._log, self._clock, self._applied = machine, log, clock, applied
        self._end = log.high_watermark if end_offset is None else end_offset
        self._parked: deque[_Parked] = deque()
        self._timers: dict[Hashable, Timer] = {}
        self._closed: int = errors.NONE
        self._busy = False
        log.on_commit(self._committed)

    def execute(
        self, command: Callable[[], Decision[R, Rec]], failed: Callable[[int], R] | None = None
    ) -> R | asyncio.Future[R]:
        """Run `command` now. Gives its answer, or a future of it. Raises KafkaError, as the command or log does.

        When the driver is closed while the answer waits, it becomes what `failed` makes of the code, or a KafkaError.
        """
        if self._closed:
            raise KafkaError(self._closed)
        decision = self._run(command)
        response = decision.response
        if self._log.high_watermark >= self._end:
            if isinstance(response, asyncio.Future) and response.done():
                return response.result()
            return response
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._parked.append(_Parked(self._end, decision, future, failed))
        return future

    def close(self, code: int) -> None:
        """Stop: timers are cancelled and every answer still waiting fails with `code`."""
        self._closed = code
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._parked:
            _, _, future, failed = self._parked.popleft()
            if future is not None and not future.done():
                if failed is None:
                    future.set_exception(KafkaError(code))
                else:
                    future.set_result(failed(code))

    def _run(self, command: Callable[[], Decision[R, Rec]]) -> Decision[R, Rec]:
        # An append may move the high watermark at once; those who wait for it are served when the command is through.
        self._busy = True
        try:
            decision = command()
            self._carry_out(decision)
        finally:
            self._busy = False
        if self._parked and self._parked[0].end_offset <= self._log.high_watermark:
            self._committed(self._log.high_watermark)
        return decision

    def _carry_out(self, decision: Decision[Any, Rec]) -> None:
        if decision.records:
            try:
                self._end = self._log.append(decision.records)
            except KafkaError as error:
                if decision.settled is not None:
                    self._follow_up(decision.settled(error.code))
                raise
            for record in decision.records:
                self._machine.apply(record)
            if self._applied is not None:
                self._applied()
        for timer in decision.timers:
            self._set(timer)
        if decision.settled is not None:
            self._parked.append(_Parked(self._end, decision, None, None))

    def _follow_up(self, decision: Decision[Any, Rec] | None) -> None:
        if decision is not None:
            try:
                self._carry_out(decision)
            except KafkaError as error:
                log.warning("the log refused what follows from an earlier command: %s", error)

    def _committed(self, high_watermark: int) -> None:
        if self._busy:
            return
        while self._parked and self._parked[0].end_offset <= high_watermark:
            _, decision, future, _ = self._parked.popleft()
            if future is not None:
                _resolve(future, decision.response)
            elif decision.settled is not None:
                self._busy = True
                try:
                    self._follow_up(decision.settled(errors.NONE))
                finally:
                    self._busy = False
                high_watermark = self._log.high_watermark

    def _set(self, timer: SetTimer | CancelTimer) -> None:
        old = self._timers.pop(timer.key, None)
        if old is not None:
            old.cancel()
        if isinstance(timer, SetTimer):
            self._timers[timer.key] = self._clock.call_later(timer.delay_ms, lambda: self._fire(timer))

    def _fire(self, timer: SetTimer) -> None:
        self._timers.pop(timer.key, None)
        if not self._closed:
            try:
                self._run(timer.command)
            except KafkaError as error:
                log.warning("a timed command (%s) failed: %s", timer.key, error)


def _resolve(future: asyncio.Future[Any], response: Any) -> None:
    """Answer `future` with `response`; when that is a future itself, as soon as it is done."""
    if isinstance(response, asyncio.Future):
        if not response.done():
            response.add_done_callback(lambda done: _resolve(future, done))
            return
        if not future.done():
            if response.cancelled():
                future.cancel()
            elif (error := response.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(response.result())
    elif not future.done():
        future.set_result(response)
