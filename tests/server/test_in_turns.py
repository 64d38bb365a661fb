"""Long work in slices: order, what is done at once, what a turn takes, and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from klamm.server.in_turns import MS_PER_TURN, STEPS_PER_TURN, InTurns


class Turns:
    """A clock whose timers are run by `turn`."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.now_ms = 0.0

    def monotonic_ms(self) -> float:
        return self.now_ms

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Any:
        assert delay_ms == 0
        self.due.append(callback)
        return self

    def cancel(self) -> None:
        self.due.clear()

    def turn(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


@pytest.fixture
def clock() -> Turns:
    return Turns()


def counting(name: str, steps: int, into: list[str]) -> Iterator[None]:
    for number in range(steps):
        into.append(f"{name}{number}")
        yield
    into.append(f"{name} done")


def test_small_work_is_done_at_once(clock: Any) -> None:
    done: list[str] = []
    turns = InTurns(clock)
    turns.do(counting("a", 2, done))
    turns.do(counting("b", 0, done))
    assert done == ["a0", "a1", "a done", "b done"] and not clock.due


def test_long_work_leaves_the_loop_to_others(clock: Any) -> None:
    done: list[str] = []
    turns = InTurns(clock)
    turns.do(counting("a", 3 * STEPS_PER_TURN, done))
    seen = []
    while clock.due:
        seen.append(len(done))
        clock.turn()
    assert seen == [STEPS_PER_TURN, 2 * STEPS_PER_TURN, 3 * STEPS_PER_TURN] and done[-1] == "a done"


def test_later_work_waits_for_earlier(clock: Any) -> None:
    done: list[str] = []
    turns = InTurns(clock)
    turns.do(counting("a", STEPS_PER_TURN + 1, done))
    turns.do(counting("b", 1, done))
    assert "b0" not in done
    clock.turn()
    assert done[-4:] == [f"a{STEPS_PER_TURN}", "a done", "b0", "b done"] and not clock.due


def test_what_is_left_at_the_end_stays_undone(clock: Any) -> None:
    done: list[str] = []
    turns = InTurns(clock)
    turns.do(counting("a", STEPS_PER_TURN + 1, done))
    turns.close()
    clock.turn()
    assert len(done) == STEPS_PER_TURN


def test_slow_steps_make_short_turns(clock: Any) -> None:
    done: list[int] = []

    def slow() -> Iterator[None]:
        for number in range(6):
            done.append(number)
            clock.now_ms += MS_PER_TURN / 2
            yield

    InTurns(clock).do(slow())
    seen = []
    while clock.due:
        seen.append(len(done))
        clock.turn()
    assert seen == [2, 4, 6]
