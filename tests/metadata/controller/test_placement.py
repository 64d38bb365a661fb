"""Where replicas go: even over brokers and racks, never led by a fenced broker."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.metadata.controller.placement import UsableBroker, place
from klamm.seams import SeededEntropy

PLACEMENTS = Path(__file__).parents[2] / "data" / "controller_records" / "placements.json"


class JavaRandom:
    """java.util.Random: a linear congruential generator of 48 bits, of which `nextInt(bound)` takes the upper ones."""

    def __init__(self, seed: int) -> None:
        self._state = (seed ^ 0x5DEECE66D) & (1 << 48) - 1

    def randrange(self, bound: int) -> int:
        drawn = self._next31()
        if bound & (bound - 1) == 0:
            return bound * drawn >> 31
        while drawn - drawn % bound + bound - 1 >= 1 << 31:
            drawn = self._next31()
        return drawn % bound

    def _next31(self) -> int:
        self._state = self._state * 0x5DEECE66D + 0xB & (1 << 48) - 1
        return self._state >> 17


def brokers(count: int, racks: int = 0, fenced: tuple[int, ...] = ()) -> list[UsableBroker]:
    return [UsableBroker(i, f"r{i % racks}" if racks else None, i in fenced) for i in range(1, count + 1)]


@pytest.mark.parametrize("seed", range(20))
def test_leaders_are_even(seed: int) -> None:
    placed = place(30, 2, brokers(5), SeededEntropy(seed).randrange)
    assert all(len(set(replicas)) == 2 for replicas in placed)
    assert set(Counter(replicas[0] for replicas in placed).values()) == {6}


@pytest.mark.parametrize("seed", range(20))
def test_replicas_spread_over_racks(seed: int) -> None:
    placed = place(30, 3, brokers(9, racks=3), SeededEntropy(seed).randrange)
    for replicas in placed:
        assert len({broker % 3 for broker in replicas}) == 3 and len(set(replicas)) == 3
    assert set(Counter(broker for replicas in placed for broker in replicas).values()) == {10}


@pytest.mark.parametrize("seed", range(20))
def test_fenced_brokers_come_last_and_never_lead(seed: int) -> None:
    placed = place(40, 3, brokers(4, fenced=(2, 3)), SeededEntropy(seed).randrange)
    for replicas in placed:
        assert replicas[0] in (1, 4) and set(replicas[:2]) == {1, 4}
        assert len(replicas) == len(set(replicas)) == 3


@pytest.mark.parametrize("seed", range(20))
def test_racks_of_different_size(seed: int) -> None:
    usable = [UsableBroker(1, "a", False), UsableBroker(2, "a", False), UsableBroker(3, "b", False)]
    for replicas in place(30, 3, usable, SeededEntropy(seed).randrange):
        assert sorted(replicas) == [1, 2, 3]


def test_one_broker() -> None:
    assert place(3, 1, brokers(1), SeededEntropy(1).randrange) == [[1], [1], [1]]


def test_same_seed_same_placement() -> None:
    assert place(20, 2, brokers(6), SeededEntropy(3).randrange) == place(20, 2, brokers(6), SeededEntropy(3).randrange)


@pytest.mark.parametrize(
    ("factor", "usable", "what"),
    [
        (0, brokers(1), "must be positive"),
        (2, brokers(1), "only 1 broker"),
        (1, [], "currently fenced"),
        (1, brokers(2, fenced=(1, 2)), "currently fenced"),
    ],
)
def test_impossible(factor: int, usable: list[UsableBroker], what: str) -> None:
    with pytest.raises(KafkaError, match=what) as caught:
        place(1, factor, usable, SeededEntropy(1).randrange)
    assert caught.value.code == errors.INVALID_REPLICATION_FACTOR


def test_as_kafka_places_with_the_same_random_numbers() -> None:
    for case in json.loads(PLACEMENTS.read_text(encoding="utf-8")):
        usable = []
        for broker in case["brokers"]:
            broker_id, rack, fenced = broker.split(":")
            usable.append(UsableBroker(int(broker_id), rack or None, fenced == "fenced"))
        placed: Any
        try:
            placed = place(case["partitions"], case["replication_factor"], usable, JavaRandom(case["seed"]).randrange)
        except KafkaError as error:
            placed = error.message
        assert placed == case["placed"], case
