"""Where slow disk work runs: a thread that takes jobs in order, several that take lanes of them, or the caller itself.

Jobs of one lane run first in, first out; where there is one thread all jobs do. A job never touches the state of a log:
it gets what it needs as arguments, and what it found out comes back on the event loop through `done`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator, Hashable
from queue import SimpleQueue
from typing import Any, Protocol

Work = Callable[[], object]
Done = Callable[[BaseException | None], None]


class IoThread(Protocol):
    """Runs the jobs of each lane in the order in which they were submitted."""

    def submit(self, work: Work, done: Done, lane: Hashable = None) -> None:
        """Run `work` off the event loop, then `done(error or None)` on it."""
        ...

    def drain(self) -> None:
        """Wait for the jobs submitted so far and run their `done` calls."""
        ...

    def close(self) -> None:
        """`drain`, and give the thread back; a later job starts another."""
        ...


NewIo = Callable[[str, int], IoThread]
"""Makes what a node's jobs run on: (name, how many threads at most). Called on the node's event loop."""


def new_thread_io(name: str, threads: int) -> IoThread:
    """The `NewIo` of real threads; the ends of jobs go to the running event loop."""
    post = asyncio.get_running_loop().call_soon_threadsafe
    return ThreadIo(name, post) if threads == 1 else LanesIo(name, post, threads)


def new_inline_io(_name: str, _threads: int) -> IoThread:
    """The `NewIo` of disks that nobody waits for."""
    return InlineIo()


class InlineIo:
    """No thread: a job and its `done` run within `submit`. For simulation, tests and the disk in memory."""

    def submit(self, work: Work, done: Done, lane: Hashable = None) -> None:
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

    def submit(self, work: Work, done: Done, lane: Hashable = None) -> None:
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


class _Threads:
    """What threads have done, for the event loop. `post` hands a call over to it, from any thread."""

    def __init__(self, name: str, post: Callable[[Callable[[], None]], object]) -> None:
        self._name = name
        self._post = post
        self._finished: deque[tuple[Done, BaseException | None]] = deque()

    def _do(self, work: Work, done: Done) -> None:
        """On a thread."""
        error: BaseException | None = None
        try:
            work()
        except Exception as caught:
            error = caught
        self._finished.append((done, error))

    def _ask_to_deliver(self) -> None:
        """On a thread."""
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


class ThreadIo(_Threads):
    """One thread, started with the first job."""

    def __init__(self, name: str, post: Callable[[Callable[[], None]], object]) -> None:
        super().__init__(name, post)
        self._jobs: SimpleQueue[tuple[Work, Done] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, work: Work, done: Done, lane: Hashable = None) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put((work, done))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._do(*job)
            # The buffers that the job held must not live on in this frame until the next job comes.
            del job
            self._ask_to_deliver()

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


class LanesIo(_Threads):
    """Several threads, for syncs: a file system that is asked for many at once makes one commit of them.

    Threads start as lanes come; one `post` stands for all jobs that end before it runs.
    """

    def __init__(self, name: str, post: Callable[[Callable[[], None]], object], threads: int) -> None:
        super().__init__(name, post)
        self._threads_max = threads
        self._threads: list[threading.Thread] = []
        self._lanes: dict[Hashable, deque[tuple[Work, Done]]] = {}
        """The jobs of each lane that has any; the first one may be running."""
        self._ready: SimpleQueue[tuple[Hashable] | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._is_posted = False

    def submit(self, work: Work, done: Done, lane: Hashable = None) -> None:
        with self._changed:
            jobs = self._lanes.get(lane)
            if jobs is not None:
                jobs.append((work, done))
                return
            self._lanes[lane] = deque(((work, done),))
            if len(self._threads) < min(len(self._lanes), self._threads_max):
                name = f"{self._name}-{len(self._threads)}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        self._ready.put((lane,))

    def _run(self) -> None:
        while (ready := self._ready.get()) is not None:
            (lane,) = ready
            self._run_one(self._lanes[lane])
            with self._changed:
                if self._lanes[lane]:
                    self._ready.put(ready)
                else:
                    del self._lanes[lane]
                    self._changed.notify_all()
            if not self._is_posted:
                self._is_posted = True
                self._ask_to_deliver()

    def _run_one(self, jobs: deque[tuple[Work, Done]]) -> None:
        # It has ended before the lane counts as empty: who drains finds the end of every job.
        self._do(*jobs[0])
        with self._changed:
            jobs.popleft()

    def deliver(self) -> None:
        """Run the `done` calls of the finished jobs. On the event loop."""
        self._is_posted = False
        super().deliver()

    def drain(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._lanes)
        self.deliver()

    def close(self) -> None:
        while self._lanes or self._finished:
            self.drain()  # the end of a job may have submitted another
        threads, self._threads = self._threads, []
        for _ in threads:
            self._ready.put(None)
        for thread in threads:
            thread.join()


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
