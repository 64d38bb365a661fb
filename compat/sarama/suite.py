"""Sarama as suites of the kit: the scenario in this folder, and sarama's own functional tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

from compat.sarama import functional
from compat.suites import Result, Suite, pytest_suite
from compat.targets import Target

HERE = Path(__file__).resolve().parent


def _functional(target: Target) -> Result:
    """On a cluster of the target's kind: these tests stop brokers, so a given one will not do.

    What waits for a capability to come, and would take half of the time to give up, is not run on klamm.
    """
    lists = functional.LISTS
    names = {name for names in lists for name in names}
    if target.name not in functional.CLUSTERS:
        return Result([], {}, dict.fromkeys(sorted(names), "needs a cluster of its own"))
    later = {name: f"{why} [not run]" for name, why in lists.later.items()} if target.name == "klamm" else {}
    with tempfile.TemporaryDirectory(prefix="compat-sarama-log-") as folder:
        cluster = functional.CLUSTERS[target.name]()
        found = functional.run(cluster, functional.chosen(names - later.keys()), Path(folder) / "log")
    told = lists.sorted_out(target.name, found)
    return Result(told.passed, told.failed, {**told.skipped, **later})


SUITES = [
    pytest_suite("sarama", functional.VERSION, needs=("go",), tests="test_sarama.py"),
    Suite("sarama_functional", functional.VERSION, _functional, HERE / "tests.allow", needs=("go",)),
]
