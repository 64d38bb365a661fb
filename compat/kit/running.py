"""Cases on a pair of brokers: each runs on both at once, and what came out is compared."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from compat.differential.cases import CaseFunction
from compat.differential.comparing import Difference, compare
from compat.differential.run import NotServed, Plan, Run, Step
from compat.external import Unsuitable
from compat.kit.pairs import Pair
from compat.providers import OwnedTarget

STOPPED = "stopped"
"""The API of a step that says why a case could not go on."""


class Ran(NamedTuple):
    """One case on both brokers."""

    name: str
    left: list[Step]
    right: list[Step]
    differences: list[Difference]
    cut: str
    """Why the case ended early: what it needs is not served, or cannot be done from outside; "" when it did not."""
    seconds: float

    @property
    def broken(self) -> str:
        """What stopped the case on the right broker, whose answers a case is written for."""
        return next((f"{step.note}: {step.outcome}" for step in self.right if step.api == STOPPED), "")


def run_case(pair: Pair, name: str, function: CaseFunction, plan: Plan) -> Ran:
    """One case on both brokers at the same time."""
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        (left, left_cut), (right, right_cut) = pool.map(
            lambda target: _on(target, name, function, plan), (pair.left, pair.right)
        )
    cut = left_cut or right_cut
    if cut:
        # What was asked until then is comparable.
        shared = min(len(left), len(right))
        left, right = left[:shared], right[:shared]
    return Ran(name, left, right, compare(name, left, right), cut, time.monotonic() - began)


def _on(target: OwnedTarget, name: str, function: CaseFunction, plan: Plan) -> tuple[list[Step], str]:
    run = Run(target, name, plan)
    cut = ""
    try:
        function(run)
    except (NotServed, Unsuitable) as error:
        cut = str(error)
    except Exception as error:
        # An answer that a case cannot go on with shows as a step of its own.
        run.record(STOPPED, 0, type(error).__name__, str(error))
    finally:
        run.close()
    return run.steps, cut
