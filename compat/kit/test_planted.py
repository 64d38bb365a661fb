"""What the normal form leaves is enough: planted faults of klamm are caught, and real Kafka equals itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from compat.differential.card import Card
from compat.differential.cases import all_cases
from compat.differential.known import KNOWN
from compat.kit.pairs import SETTINGS, pair_of
from compat.kit.planted import FAULTS, PlantedKlamm
from compat.kit.running import Ran, run_case
from compat.providers import OwnedTarget, PlainKlamm, klamm_defaults, make

CASES = all_cases()
pytestmark = pytest.mark.needs("java", "mvn")


@pytest.fixture(scope="module")
def kafka() -> Iterator[OwnedTarget]:
    target = make("kafka", SETTINGS)
    try:
        with target:
            yield target
    finally:
        target.remove()


_RUNS = count()


def _ran(left: OwnedTarget, right: OwnedTarget, case: str) -> Ran:
    """The case under names of its own: Kafka serves several runs of it."""
    pair = pair_of(left, right)
    ran = run_case(pair, case, CASES[case], pair.plan()._replace(token=f"kit-{next(_RUNS):06x}-"))
    assert not ran.broken
    return ran


def _unexplained(left: OwnedTarget, right: OwnedTarget, case: str) -> list[str]:
    ran = _ran(left, right, case)
    return [found.path for found in Card(KNOWN).add(case, ran.left, ran.differences)]


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught(name: str, kafka: OwnedTarget) -> None:
    case = FAULTS[name].case
    settings = {**klamm_defaults(), **SETTINGS}
    right, planted = PlainKlamm(settings), PlantedKlamm(name, settings)
    for klamm, is_spoilt in ((right, False), (planted, True)):
        try:
            with klamm:
                assert bool(_unexplained(klamm, kafka, case)) == is_spoilt, name
        finally:
            klamm.remove()


@pytest.mark.parametrize("case", sorted({fault.case for fault in FAULTS.values()}))
def test_kafka_equals_itself(case: str, kafka: OwnedTarget) -> None:
    other = make("kafka", SETTINGS)
    try:
        with other:
            ran = _ran(other, kafka, case)
            assert ran.differences == []
            assert len(ran.left) > 1
    finally:
        other.remove()
