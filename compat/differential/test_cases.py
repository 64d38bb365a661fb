"""Every case on both brokers: what differs must be known."""

from __future__ import annotations

import pytest

from compat.differential.card import Card
from compat.differential.cases import LIVELY, all_cases
from compat.differential.comparing import describe
from compat.kit.pairs import Pair
from compat.kit.running import run_case

CASES = all_cases()


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, request: pytest.FixtureRequest, card: Card) -> None:
    pair: Pair = request.getfixturevalue("lively_pair" if name in LIVELY else "pair")
    ran = run_case(pair, name, CASES[name], pair.plan())
    unexplained = card.add(name, ran.left, ran.differences, ran.cut)
    assert not ran.broken, f"the case itself is wrong: {ran.broken}"
    if unexplained:
        shown = "\n".join(f"  {line}" for line in describe(unexplained)[:30])
        names = f"{pair.left.name} | {pair.right.name}"
        pytest.fail(f"{len(unexplained)} differences ({names}):\n{shown}", pytrace=False)


def test_every_known_difference_is_met(request: pytest.FixtureRequest, card: Card) -> None:
    if card.cases < len(CASES) or request.config.getoption("--pair") != "klamm,kafka":
        pytest.skip("only after all cases have run on klamm and Kafka")
    # What a random request runs into may depend on the state that Kafka's order of threads has left.
    assert [place for place in card.unused() if not place.case.startswith("random_requests.")] == []
