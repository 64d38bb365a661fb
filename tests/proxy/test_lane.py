"""Order is kept whatever is delayed, held or throttled."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.proxy.lane import Lane
from tests.clock import FakeClock


class Wire:
    """What a lane does, with the time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.done: list[tuple[float, Any]] = []
        self.lane = Lane(self.clock, self._write, lambda: self._note("closed"), lambda: self._note("drained"))

    def _note(self, what: Any) -> None:
        self.done.append((self.clock.monotonic_ms(), what))

    def _write(self, chunks: Any) -> None:
        self._note(b"".join(chunks))


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_what_waits_for_nothing_leaves_in_one_write(wire: Wire) -> None:
    wire.lane.put(b"a", b"b")
    wire.lane.put(b"c")
    wire.lane.flush()
    assert wire.done == [(0, b"abc")]
    assert wire.lane.is_idle


def test_what_comes_later_stays_behind_what_is_delayed(wire: Wire) -> None:
    held = wire.lane.hold()
    held.data = (b"first",)
    wire.lane.ready_after(held, 50)
    wire.lane.put(b"second")
    wire.lane.flush()
    assert (wire.done, wire.lane.held_bytes) == ([], 11)
    wire.clock.advance(49)
    assert wire.done == []
    wire.clock.advance(1)
    assert wire.done == [(50, b"firstsecond"), (50, "drained")]


def test_a_place_is_kept_for_data_that_is_made_later(wire: Wire) -> None:
    held = wire.lane.hold()
    wire.lane.put(b"2")
    held.data = (b"1",)
    wire.lane.ready(held)
    assert wire.done == [(0, b"12"), (0, "drained")]


def test_throttled_bytes_leave_at_their_rate(wire: Wire) -> None:
    held = wire.lane.hold()
    held.data, held.bytes_per_s = (b"x" * 60, b"y" * 40), 1000
    wire.lane.ready(held)
    wire.lane.put(b"next")
    wire.clock.advance(1000)
    sent = [(at, len(what)) for at, what in wire.done if isinstance(what, bytes)]
    assert sent == [(0, 20), (20, 20), (40, 20), (60, 20), (80, 20), (100, 4)]
    assert b"".join(what for _, what in wire.done if isinstance(what, bytes)) == b"x" * 60 + b"y" * 40 + b"next"


def test_the_connection_ends_behind_a_chunk(wire: Wire) -> None:
    wire.lane.put(b"a")
    held = wire.lane.hold()
    held.data, held.close_after = (b"b",), True
    wire.lane.put(b"never")
    wire.lane.ready(held)
    wire.lane.put(b"never")
    wire.lane.flush()
    assert wire.done == [(0, b"ab"), (0, "closed")]


def test_nothing_leaves_after_drop(wire: Wire) -> None:
    held = wire.lane.hold()
    held.data = (b"a",)
    wire.lane.ready_after(held, 10)
    wire.lane.drop()
    wire.clock.advance(100)
    assert wire.done == []
