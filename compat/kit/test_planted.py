"""What the normal form leaves is enough: planted faults of klamm are caught, and real Kafka equals itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.differential.card import Card
from compat.differential.cases import all_cases
from compat.differential.known import KNOWN
from compat.kit.pairs import SETTINGS, pair_of
from compat.kit.planted import FAULTS, PlantedKlamm
from compat.kit.running import run_case
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


def _unexplained(left: OwnedTarget, right: OwnedTarget, case: str) -> list[str]:
    pair = pair_of(left, right)
    ran = run_case(pair, case, CASES[case], pair.plan())
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


@pytest.mark.parametrize("case", [fault.case for fault in FAULTS.values()])
def test_kafka_equals_itself(case: str, kafka: OwnedTarget) -> None:
    other = make("kafka", SETTINGS)
    try:
        with other:
            pair = pair_of(other, kafka)
            ran = run_case(pair, case, CASES[case], pair.plan())
            assert ran.differences == []
            assert len(ran.left) > 1
    finally:
        other.remove()
