"""The driver: answers wait for the high watermark, refusals are told, timers are commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log.machine import CancelTimer, Decision, Driver, SetTimer
from tests.clock import FakeClock


class ListLog:
    """A log that commits at once, or on `commit` when `commits` is off."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self.high_watermark = 0
        self.commits = True
        self.refuse = 0
        self._callback: Callable[[int], None] = lambda _: None

    def append(self, records: Sequence[str]) -> int:
        if self.refuse:
            raise KafkaError(self.refuse)
        self.records += records
        if self.commits:
            self.commit()
        return len(self.records)

    def commit(self) -> None:
        self.high_watermark = len(self.records)
        self._callback(self.high_watermark)

    def on_commit(self, callback: Callable[[int], None]) -> None:
        self._callback = callback


class ListMachine:
    def __init__(self) -> None:
        self.applied: list[str] = []

    def apply(self, record: str) -> None:
        self.applied.append(record)


class Bench:
    def __init__(self) -> None:
        self.log, self.machine, self.clock = ListLog(), ListMachine(), FakeClock()
        self.driver: Driver[str] = Driver(self.machine, self.log, self.clock)

    def run(self, response: Any, *records: str, **fields: Any) -> Any:
        return self.driver.execute(lambda: Decision(response, records, **fields))


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_committed_at_once_is_answered_at_once(bench: Bench) -> None:
    assert bench.run("done", "a", "b") == "done"
    assert bench.log.records == bench.machine.applied == ["a", "b"]


async def test_answers_wait_for_the_commit_and_reads_for_what_they_saw(bench: Bench) -> None:
    bench.log.commits = False
    write = bench.run("written", "a")
    read = bench.run("read")
    assert bench.machine.applied == ["a"]
    assert not write.done() and not read.done()
    bench.log.commit()
    assert (await write, await read) == ("written", "read")
    assert bench.run("read again") == "read again"


async def test_each_commit_answers_what_it_covers(bench: Bench) -> None:
    bench.log.commits = False
    first = bench.run(1, "a")
    bench.log.commit()
    second = bench.run(2, "b")
    assert first.done() and not second.done()


async def test_a_response_that_waits_is_waited_for_after_the_commit(bench: Bench) -> None:
    bench.log.commits = False
    later: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    answer = bench.run(later, "a")
    bench.log.commit()
    assert not answer.done()
    later.set_result("now")
    assert await answer == "now"


async def test_a_response_that_is_there_needs_no_waiting(bench: Bench) -> None:
    there: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    there.set_result("now")
    assert bench.run(there) == "now"


async def test_settled_is_told_of_the_commit_before_the_answer(bench: Bench) -> None:
    bench.log.commits = False
    told: list[int] = []
    answer = bench.run("done", "a", settled=told.append)
    assert told == []
    bench.log.commit()
    assert told == [errors.NONE]
    assert await answer == "done"


async def test_settled_is_told_of_a_refusal_and_what_it_decides_is_done(bench: Bench) -> None:
    told: list[int] = []
    bench.log.refuse = errors.NOT_COORDINATOR

    def settled(code: int) -> Decision[None, str]:
        told.append(code)
        bench.log.refuse = 0
        return Decision(None, ["instead"])

    with pytest.raises(KafkaError) as refused:
        bench.run("never", "a", settled=settled)
    assert refused.value.code == errors.NOT_COORDINATOR
    assert told == [errors.NOT_COORDINATOR]
    assert bench.machine.applied == ["instead"]


async def test_what_follows_a_commit_never_runs_inside_another_command(bench: Bench) -> None:
    """An append may move the high watermark while its own records are not applied yet."""
    bench.log.commits = False
    seen: list[list[str]] = []
    bench.run(1, "a", settled=lambda _: seen.append(list(bench.machine.applied)))
    bench.log.commits = True
    assert bench.run(2, "b") == 2
    assert seen == [["a", "b"]]


async def test_close_fails_who_waits(bench: Bench) -> None:
    bench.log.commits = False
    plain = bench.run("done", "a")
    mapped = bench.driver.execute(lambda: Decision("done", ["b"]), lambda code: f"failed with {code}")
    bench.driver.close(errors.NOT_COORDINATOR)
    with pytest.raises(KafkaError):
        await plain
    assert await mapped == "failed with 16"  # type: ignore[misc]
    with pytest.raises(KafkaError):
        bench.run("more")


async def test_records_replayed_past_the_high_watermark_are_waited_for() -> None:
    log = ListLog()
    log.records, log.commits = ["old"], False
    driver: Driver[str] = Driver(ListMachine(), log, FakeClock(), end_offset=1)
    read = driver.execute(lambda: Decision("read"))
    assert isinstance(read, asyncio.Future)
    log.commit()
    assert await read == "read"


async def test_timers_are_commands(bench: Bench) -> None:
    def tick() -> Decision[None, str]:
        return Decision(None, ["tick"], [SetTimer("t", 10, tick)])

    bench.run(None, timers=[SetTimer("t", 10, tick), SetTimer("u", 5, lambda: Decision(None, ["u"]))])
    bench.clock.advance(25)
    assert bench.machine.applied == ["u", "tick", "tick"]
    bench.run(None, timers=[CancelTimer("t"), CancelTimer("never set")])
    bench.clock.advance(100)
    assert bench.machine.applied == ["u", "tick", "tick"]


async def test_a_timer_takes_the_place_of_one_with_its_key(bench: Bench) -> None:
    bench.run(None, timers=[SetTimer("t", 10, lambda: Decision(None, ["early"]))])
    bench.run(None, timers=[SetTimer("t", 20, lambda: Decision(None, ["late"]))])
    bench.clock.advance(15)
    assert bench.machine.applied == []
    bench.clock.advance(5)
    assert bench.machine.applied == ["late"]


async def test_a_timed_command_that_fails_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.run(None, timers=[SetTimer("t", 10, lambda: Decision(None, ["x"]))])
    bench.log.refuse = errors.NOT_COORDINATOR
    bench.clock.advance(10)
    assert "NOT_COORDINATOR" in caplog.text


async def test_close_cancels_timers(bench: Bench) -> None:
    bench.run(None, timers=[SetTimer("t", 10, lambda: Decision(None, ["x"]))])
    bench.driver.close(errors.NOT_COORDINATOR)
    assert bench.clock.pending == 0
