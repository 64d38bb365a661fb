"""Jobs run in order off the loop, and what follows them runs on it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable

import pytest

from klamm.log.io_thread import Completion, DeferredIo, InlineIo, LanesIo, ThreadIo


async def test_thread_keeps_the_order_and_returns_to_the_loop() -> None:
    loop = asyncio.get_running_loop()
    io = ThreadIo("test-io", loop.call_soon_threadsafe)
    here = threading.get_ident()
    seen: list[tuple[int, bool, bool]] = []
    all_done = loop.create_future()

    def submit(n: int) -> None:
        ran_on: list[int] = []

        def done(error: BaseException | None) -> None:
            seen.append((n, ran_on[0] != here, threading.get_ident() == here))
            if n == 99:
                all_done.set_result(None)

        io.submit(lambda: ran_on.append(threading.get_ident()), done)

    for n in range(100):
        submit(n)
    await asyncio.wait_for(all_done, 10)
    assert seen == [(n, True, True) for n in range(100)]
    io.close()


AnyIo = Callable[[Callable[[Callable[[], None]], object]], ThreadIo | LanesIo]


@pytest.fixture(params=["thread", "lanes"])
def any_io(request: pytest.FixtureRequest) -> AnyIo:
    return lambda post: ThreadIo("test-io", post) if request.param == "thread" else LanesIo("test-io", post, 3)


async def test_errors_reach_done(any_io: AnyIo) -> None:
    loop = asyncio.get_running_loop()
    io = any_io(loop.call_soon_threadsafe)
    error = loop.create_future()

    def work() -> None:
        raise OSError(5, "EIO")

    io.submit(work, error.set_result)
    assert isinstance(await asyncio.wait_for(error, 10), OSError)
    io.close()


@pytest.mark.parametrize("end", ["drain", "close"])
def test_drain_and_close_wait(any_io: AnyIo, end: str) -> None:
    started, go = threading.Event(), threading.Event()
    posted: list[object] = []
    io = any_io(posted.append)
    done: list[object] = []

    def work() -> None:
        started.set()
        assert go.wait(10)

    io.submit(work, done.append)
    io.submit(lambda: None, done.append)
    assert started.wait(10)
    threading.Timer(0.01, go.set).start()
    getattr(io, end)()
    assert done == [None, None]
    io.submit(lambda: None, done.append)
    io.close()
    assert done == [None, None, None]


def test_a_closed_loop_loses_no_done_call(any_io: AnyIo) -> None:
    def post(_: object) -> None:
        raise RuntimeError("Event loop is closed")

    io = any_io(post)
    done: list[object] = []
    io.submit(lambda: None, done.append)
    io.close()
    assert done == [None]


async def test_lanes_keep_their_order_and_run_side_by_side() -> None:
    loop = asyncio.get_running_loop()
    io = LanesIo("test-io", loop.call_soon_threadsafe, 4)
    here = threading.get_ident()
    together = threading.Barrier(4, timeout=30)
    ran: dict[int, list[int]] = defaultdict(list)
    ended: dict[int, list[int]] = defaultdict(list)
    all_done = loop.create_future()

    def submit(lane: int, n: int) -> None:
        def work() -> None:
            if n % 10 == 0:
                together.wait()  # passes only when four lanes run at once
            ran[lane].append(n)

        def done(error: BaseException | None) -> None:
            assert error is None and threading.get_ident() == here
            ended[lane].append(n)
            if sum(map(len, ended.values())) == 4 * 50:
                all_done.set_result(None)

        io.submit(work, done, lane)

    for n in range(50):
        for lane in range(4):
            submit(lane, n)
    await asyncio.wait_for(all_done, 60)
    assert ran == ended == {lane: list(range(50)) for lane in range(4)}
    io.close()
    before = threading.active_count()
    io.submit(lambda: None, lambda _: None, 7)
    io.close()
    assert threading.active_count() == before


def test_what_the_end_of_a_job_submits_is_done_at_the_close() -> None:
    io = LanesIo("test-io", lambda _: None, 2)
    done: list[object] = []
    io.submit(lambda: None, lambda _: io.submit(lambda: None, done.append, 2), 1)
    io.close()
    assert done == [None]


def test_inline_and_deferred() -> None:
    done: list[object] = []
    InlineIo().submit(lambda: done.append("work"), lambda error: done.append(error))
    assert done == ["work", None]
    io = DeferredIo()
    io.submit(lambda: done.append("late"), lambda error: done.append(error))
    assert done == ["work", None] and len(io) == 1
    io.run_all()
    assert done == ["work", None, "late", None]


async def test_completion() -> None:
    completion = Completion()
    calls: list[object] = []
    completion.add_done_callback(calls.append)
    waiting = asyncio.ensure_future(_wait(completion))
    await asyncio.sleep(0)
    assert not completion.done() and not calls
    completion.finish()
    assert calls == [completion] and completion.exception() is None
    completion.add_done_callback(calls.append)
    assert len(calls) == 2
    await waiting
    failed = Completion()
    failed.finish(OSError(5, "EIO"))
    with pytest.raises(OSError):
        await failed


async def _wait(completion: Completion) -> None:
    await completion
