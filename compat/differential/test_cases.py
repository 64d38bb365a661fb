"""Every case on both brokers: what differs must be known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from compat.differential.card import Card
from compat.differential.cases import LIVELY, CaseFunction, all_cases
from compat.differential.comparing import compare, describe
from compat.differential.conftest import Pair
from compat.differential.run import Run
from compat.targets import Target

CASES = all_cases()


def _run(target: Target, name: str, function: CaseFunction) -> Run:
    run = Run(target, name)
    try:
        function(run)
    except Exception as error:
        # An answer that a case cannot go on with shows as a step of its own.
        run.record("stopped", 0, f"{type(error).__name__}", str(error))
    finally:
        run.close()
    return run


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, request: pytest.FixtureRequest, card: Card) -> None:
    pair: Pair = request.getfixturevalue("lively_pair" if name in LIVELY else "pair")
    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(lambda target: _run(target, name, CASES[name]), pair)
    differences = compare(name, left.steps, right.steps)
    unexplained = card.add(left.steps, differences)
    stopped = [step for step in right.steps if step.api == "stopped"]
    assert not stopped, f"the case itself is wrong: {stopped[0].note}: {stopped[0].outcome}"
    if unexplained:
        shown = "\n".join(f"  {line}" for line in describe(unexplained)[:30])
        pytest.fail(f"{len(unexplained)} differences ({pair[0].name} | {pair[1].name}):\n{shown}", pytrace=False)


def test_every_known_difference_is_met(request: pytest.FixtureRequest, card: Card) -> None:
    if card.cases < len(CASES) or request.config.getoption("--pair") != "klamm,kafka":
        pytest.skip("only after all cases have run on klamm and Kafka")
    # What a random request runs into may depend on the state that Kafka's order of threads has left.
    assert [place for place in card.unused() if not place.case.startswith("random_requests.")] == []
