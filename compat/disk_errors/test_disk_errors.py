"""klamm through disk trouble, compared with what Kafka did in the same; and the proof that a loss is noticed.

Kafka itself runs the same scenarios with `--target kafka` (some 2 minutes), or beside klamm with
`python -m compat.disk_errors`.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from compat.disk_errors import scenarios
from compat.disk_errors.known import KNOWN, differences, expected
from compat.disk_errors.scenarios import SCENARIOS, Scenario

pytestmark = pytest.mark.needs("gcc")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    if scenario.second_size_mib and os.geteuid() != 0:
        pytest.skip("mounting a file system takes root")
    seen = scenarios.run(scenario, request.config.getoption("--target")).as_json()
    assert differences(scenario.name, seen, expected(scenario.name)) == []


def test_every_reason_is_for_a_difference_that_can_be() -> None:
    names = {scenario.name for scenario in SCENARIOS}
    assert {name for name, _ in KNOWN} <= names
    assert names == {name for name in names if expected(name)["wrong"] == []}


def test_a_loss_is_noticed(monkeypatch: Any) -> None:
    """A broker whose segment is cut while it is down has lost what it had acknowledged."""

    def cut(disks: Any) -> None:
        disks.rules.heal()
        for path in disks.second.glob("disk-*/*.log"):
            os.truncate(path, path.stat().st_size // 2)

    (scenario,) = (s for s in SCENARIOS if s.name == "write-eio")
    forgetful = scenarios.Scenario("write-eio", "", scenario.break_it, heal=cut)
    seen = scenarios.run(forgetful, "klamm").as_json()
    assert any("offset" in line for line in seen["wrong"])
    assert differences("write-eio", seen, expected("write-eio"))
