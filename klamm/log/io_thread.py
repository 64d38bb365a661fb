"""Where slow disk work runs: one thread that takes jobs in order, or the caller itself.

Jobs run first in, first out. A job never touches the state of a log: it gets what it needs as arguments, and what it
found out comes back on the event loop through `done`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Any, Protocol

Work = Callable[[], object]
Done = Callable[[BaseException | None], None]


class IoThread(Protocol):
    """Runs jobs in the order in which they were submitted."""

    def submit(self, work: Work, done: Done) -> None:
        """Run `work` off the event loop, then `done(error or None)` on it."""
        ...

    def drain(self) -> None:
        """Wait for the jobs submitted so far and run their `done` calls."""
        ...

    def close(self) -> None:
        """`drain`, and give the thread back; a later job starts another."""
        ...


class InlineIo:
    """No thread: a job and its `done` run within `submit`. For simulation, tests and the disk in memory."""

    def submit(self, work: Work, done: Done) -> None:
        error: BaseException | None = None
        try:
            work()
        except Exception as caught:
            error = caught
        done(error)

    def drain(self) -> None:
        pass

    def close(self) -> None:
        pass


class DeferredIo:
    """No thread either: jobs wait until `run_one` or `run_all`, so that a test can stand between the two."""

    def __init__(self) -> None:
        self._jobs: deque[tuple[Work, Done]] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def submit(self, work: Work, done: Done) -> None:
        self._jobs.append((work, done))

    def run_one(self) -> None:
        work, done = self._jobs.popleft()
        InlineIo().submit(work, done)

    def run_all(self) -> None:
        while self._jobs:
            self.run_one()

    def drain(self) -> None:
        self.run_all()

    def close(self) -> None:
        self.run_all()


class ThreadIo:
    """One thread, started with the first job. `post` hands a call over to the event loop, from any thread."""

    def __init__(self, name: str, post: Callable[[Callable[[], None]], object]) -> None:
        self._name = name
        self._post = post
        self._jobs: SimpleQueue[tuple[Work, Done] | None] = SimpleQueue()
        self._finished: deque[tuple[Done, BaseException | None]] = deque()
        self._thread: threading.Thread | None = None

    def submit(self, work: Work, done: Done) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put((work, done))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            error: BaseException | None = None
            try:
                work()
            except Exception as caught:
                error = caught
            self._finished.append((done, error))
            # The buffers that the job held must not live on in this frame until the next job comes.
            del job, work, done, error
            try:
                self._post(self.deliver)
            except RuntimeError:
                pass  # The loop is closed: `close` delivers what is left.

    def deliver(self) -> None:
        """Run the `done` calls of the finished jobs. On the event loop."""
        finished = self._finished
        while finished:
            done, error = finished.popleft()
            done(error)

    def drain(self) -> None:
        if self._thread is not None:
            drained = threading.Event()
            self._jobs.put((drained.set, _nothing))
            drained.wait()
        self.deliver()

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()
        self.deliver()


def _nothing(_: BaseException | None) -> None:
    pass


class Completion:
    """The end of a job as seen from the event loop. Has the part of asyncio's Future that waiting takes."""

    __slots__ = ("_callbacks", "_done", "_error")

    def __init__(self) -> None:
        self._done = False
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Completion], None]] = []

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return False

    def exception(self) -> BaseException | None:
        """What went wrong; None while it is not done."""
        return self._error

    def add_done_callback(self, callback: Callable[[Completion], None]) -> None:
        """Call `callback(self)` when it is done; at once if it is already."""
        if self._done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def finish(self, error: BaseException | None = None) -> None:
        self._done = True
        self._error = error
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def __await__(self) -> Generator[Any, None, None]:
        if not self._done:
            woken = asyncio.get_running_loop().create_future()
            self.add_done_callback(lambda _: None if woken.done() else woken.set_result(None))
            yield from woken
        if self._error is not None:
            raise self._error
