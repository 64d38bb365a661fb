"""An event loop whose time is virtual: when nothing is ready, it is at once the time of the next timer.

Every call belongs to an `Owner` (a life of a node, a client), found by its context, so that a whole node can die or
stand still between two calls. Calls of one owner keep asyncio's order; which owner goes first is drawn from the seed.
No sockets, no threads; what would wait for ever raises Stuck.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from klamm.kproto.errors import KafkaError
from klamm.seams import Timer


class Stuck(Exception):
    """Nothing is ready and no timer is set: whoever waits would wait for ever."""


class Owner:
    """Whose calls these are. Dead ones are never called again, frozen ones when they thaw."""

    def __init__(self, loop: SimLoop, name: str) -> None:
        self.name = name
        self.is_dead = self.is_frozen = False
        self.waiting: deque[events.Handle] = deque()
        """What fell due while it was frozen."""
        self.tasks: list[asyncio.Task[Any]] = []
        self.context = contextvars.copy_context()
        self.context.run(_OWNER.set, self)
        self._loop = loop
        loop.owners.append(self)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this owner."""
        return self._loop.create_task(coroutine, context=self.context)

    def call(self, callback: Callable[..., object], *args: Any) -> events.Handle:
        """Have it called as soon as the loop comes to it."""
        return self._loop.call_soon(callback, *args, context=self.context)

    def call_after(self, delay_ms: float, callback: Callable[..., object], *args: Any) -> events.TimerHandle:
        return self._loop.call_at(self._loop.time() + delay_ms / 1000, callback, *args, context=self.context)

    def die(self) -> None:
        """End between two calls: what it would still do never happens, not even its `finally` clauses."""
        self.is_dead = True
        self.waiting.clear()

    def freeze(self) -> None:
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False
        waiting, self.waiting = self.waiting, deque()
        self._loop._ready.extend(waiting)


_OWNER: contextvars.ContextVar[Owner] = contextvars.ContextVar("owner")


class _Handle(events.Handle):
    __slots__ = ("owner",)


class _TimerHandle(events.TimerHandle):
    __slots__ = ("number", "owner")


class SimLoop(asyncio.BaseEventLoop):
    """See the module's docstring. `random` is the world's one source of chance for what concerns order and delay."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.steps = 0
        self._now = 0.0
        self._ready: deque[events.Handle] = deque()
        self._timers: list[tuple[float, int, _TimerHandle]] = []
        self._count = 0
        self.owners: list[Owner] = []
        """All there ever were: coroutines of dead ones must not be collected before the run ends."""
        self.errors: list[str] = []
        """What ended without anybody who asks: exceptions in callbacks and in tasks."""
        self.set_exception_handler(self._note_error)
        self.set_task_factory(self._new_task)
        self.harness = Owner(self, "harness")

    @property
    def now_ms(self) -> float:
        return self._now * 1000

    def time(self) -> float:
        return self._now

    def _note_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, KafkaError) and "never retrieved" in str(context.get("message")):
            return  # the answer to a command for which nobody waits: a partition's new leader, when it resigns
        self.errors.append(f"{context.get('message')}: {error!r}")

    def _new_task(self, loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=self, **options)
        context = options.get("context")
        owner = self._owner_of(context)
        if len(owner.tasks) > 64:
            owner.tasks = [old for old in owner.tasks if not old.done()]
        owner.tasks.append(task)
        return task

    def _owner_of(self, context: contextvars.Context | None) -> Owner:
        return _OWNER.get(self.harness) if context is None else context.get(_OWNER, self.harness)

    # -- what asyncio asks a loop for --

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> events.Handle:
        handle = _Handle(callback, args, self, context)
        handle.owner = self._owner_of(context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> events.TimerHandle:
        handle = _TimerHandle(when, callback, args, self, context)
        handle.owner = self._owner_of(context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> events.TimerHandle:
        return self.call_at(self._now + max(delay, 0), callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        pass

    def _process_events(self, event_list: object) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    # -- the turn of the loop --

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        while timers and (timers[0][0] <= self._now or not ready):
            when, _, timer = timers[0]
            if not _is_alive(timer):
                heapq.heappop(timers)
                continue
            if when > self._now and ready:
                break
            heapq.heappop(timers)
            self._now = max(self._now, when)
            ready.append(timer)
        if not ready:
            if self._stopping:  # type: ignore[attr-defined]
                return
            raise Stuck(f"nothing will ever happen again after {self._now:.3f} s")
        for handle in self._in_order(len(ready)):
            owner = handle.owner  # type: ignore[attr-defined]
            if owner.is_dead or handle._cancelled:  # type: ignore[attr-defined]
                continue
            if owner.is_frozen:
                owner.waiting.append(handle)
                continue
            self.steps += 1
            handle._run()  # type: ignore[attr-defined]

    def _in_order(self, count: int) -> list[events.Handle]:
        """The ready calls, the owners in an order that is drawn, each one's own calls in the order they came in."""
        ready = self._ready
        if count == 1:
            return [ready.popleft()]
        batch = [ready.popleft() for _ in range(count)]
        first = batch[0].owner  # type: ignore[attr-defined]
        if all(handle.owner is first for handle in batch):  # type: ignore[attr-defined]
            return batch
        by_owner: dict[Owner, list[events.Handle]] = {}
        for handle in batch:
            by_owner.setdefault(handle.owner, []).append(handle)  # type: ignore[attr-defined]
        owners = list(by_owner)
        self.random.shuffle(owners)
        return [handle for owner in owners for handle in by_owner[owner]]

    def close(self) -> None:
        """End. What coroutines do when they are closed is done now, and not when they are collected."""
        for owner in self.owners:
            for task in owner.tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                try:
                    task.get_coro().close()  # type: ignore[union-attr]
                except BaseException:
                    pass  # it has lost its disk, its loop and its node
        super().close()


def _is_alive(handle: _TimerHandle) -> bool:
    return not (handle._cancelled or handle.owner.is_dead)  # type: ignore[attr-defined]


class SimClock:
    """`klamm.seams.Clock` of one node: its own wall time, its own speed, and timers that are a little late."""

    def __init__(self, loop: SimLoop, *, skew_ms: float = 0.0, speed: float = 1.0, late_ms: float = 0.2) -> None:
        self._loop = loop
        self.skew_ms = skew_ms
        self._speed = speed
        self._late_ms = late_ms

    def time_ms(self) -> int:
        return int(START_MS + self._loop.now_ms * self._speed + self.skew_ms)

    def monotonic_ms(self) -> float:
        return self._loop.now_ms * self._speed

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        late_ms = self._loop.random.random() * self._late_ms
        return self._loop.call_later((max(delay_ms, 0) / self._speed + late_ms) / 1000, callback)


START_MS = 1_700_000_000_000
