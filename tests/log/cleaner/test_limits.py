"""What bounds the cleaner: bytes a second, and the memory of its map."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from klamm.log.cleaner.offset_map import KEY_BYTES_MAX, OffsetMap, map_key
from klamm.log.cleaner.throttle import Throttle


class Waiting:
    """A clock that waiting moves."""

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_ms += seconds * 1000

    def throttle(self, bytes_per_second: float) -> Throttle:
        return Throttle(bytes_per_second, lambda: self.now_ms, self.wait)


@pytest.mark.parametrize(("rate", "seconds"), [(1e6, 10.0), (5e6, 2.0), (1e9, 1.0)])
def test_the_rate_is_kept(rate: float, seconds: float) -> None:
    clock = Waiting()
    throttle = clock.throttle(rate)
    for _ in range(100):  # ten million bytes, which take a second by themselves
        clock.now_ms += 10
        throttle.spend(100_000)
    assert clock.now_ms / 1000 == pytest.approx(seconds, rel=0.35 if rate < 1e9 else 0.01)
    assert all(wait > 0 for wait in clock.waits)


def test_without_a_limit_nothing_waits() -> None:
    clock = Waiting()
    throttle = clock.throttle(float("inf"))
    for _ in range(100):
        clock.now_ms += 301
        throttle.spend(1 << 40)
    assert clock.waits == []


def test_the_rate_is_looked_at_every_300_ms() -> None:
    clock = Waiting()
    throttle = clock.throttle(1000)
    throttle.spend(1_000_000)
    clock.now_ms += 300
    throttle.spend(0)
    assert clock.waits == []
    clock.now_ms += 1
    throttle.spend(0)
    assert clock.waits == [pytest.approx(1000 - 0.301)]
    throttle.bytes_per_second = 2000.0
    clock.now_ms += 400
    throttle.spend(2000)
    assert clock.waits[1:] == [pytest.approx(0.6)]


# -- the map --


@pytest.mark.parametrize("keys", [3, 40, 4000])
def test_the_map_answers_as_a_dict(keys: int) -> None:
    chance = random.Random(keys)
    offset_map, right = OffsetMap(24 * 5000, 0.9), {}
    for offset in range(20_000):
        key = b"k%d" % chance.randrange(keys)
        assert offset_map.put(key, offset)
        right[key] = offset
    assert len(offset_map) == len(right)
    for key, offset in right.items():
        assert offset_map.lookup(key, -1) == offset
    assert offset_map.lookup(b"k-1", -1) == -1
    assert offset_map.utilization == len(right) / 5000
    offset_map.clear()
    assert len(offset_map) == 0 and offset_map.lookup(b"k1", -1) == -1


@pytest.mark.parametrize(
    ("buffer_bytes", "load_factor", "capacity"),
    [(134_217_728, 0.9, 5_033_164), (24 * 100, 0.9, 90), (24 * 100, 1.0, 100), (24 * 100, 7.5, 100), (24 * 3, 0.5, 1)],
)
def test_as_many_keys_as_in_kafkas_map(buffer_bytes: int, load_factor: float, capacity: int) -> None:
    offset_map = OffsetMap(buffer_bytes, load_factor)
    assert offset_map.capacity == capacity
    if capacity < 1000:
        for n in range(capacity):
            assert offset_map.put(b"%d" % n, n)
        assert not offset_map.put(b"new", 1)
        assert not offset_map.put(b"0", 1), "nor does a full map take a key that it has"
        assert all(offset_map.lookup(b"%d" % n, -1) == n for n in range(capacity))
        assert all(offset_map.lookup(b"-%d" % n, -1) == -1 for n in range(200))


@pytest.mark.parametrize(("buffer_bytes", "load_factor"), [(24, 0.9), (23, 1.0), (0, 0.9), (24 * 10, 0.1)])
def test_a_buffer_without_room(buffer_bytes: int, load_factor: float) -> None:
    with pytest.raises(ValueError, match=r"log\.cleaner\.dedupe\.buffer\.size"):
        OffsetMap(buffer_bytes, load_factor)


@pytest.mark.parametrize("size", [4, KEY_BYTES_MAX, KEY_BYTES_MAX + 1, 5000])
def test_the_map_stays_within_its_buffer(size: int) -> None:
    buffer_bytes = 1 << 20
    tracemalloc.start()
    try:
        offset_map = OffsetMap(buffer_bytes, 0.9)
        before, _ = tracemalloc.get_traced_memory()
        count = 0
        highest = 0
        while offset_map.put(map_key(b"%d" % count + b"k" * (size - len(b"%d" % count))), count):
            count += 1
            if count % 1000 == 0:
                highest = max(highest, tracemalloc.get_traced_memory()[0] - before)
        final = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert count == int((buffer_bytes // 24) * 0.9)
    assert final <= buffer_bytes * 1.05
    assert highest <= buffer_bytes * 1.5, "while the dict becomes the table both are there"


def test_keys_of_every_length_are_apart() -> None:
    offset_map = OffsetMap(24 * 1000, 0.9)
    long = b"x" * 200
    keys = [long[:size] for size in range(200)] + [map_key(long[:100])]
    for n, key in enumerate(keys):
        offset_map.put(map_key(key), n)
    assert [offset_map.lookup(map_key(key), -1) for key in keys[:100]] == list(range(100))
