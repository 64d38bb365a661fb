"""kafka-python against the broker under test: every compression, idempotence, groups of two, restarts."""

from __future__ import annotations

import pytest

from compat import scenario
from compat.kafka_python.client import Client

CLIENT = Client()


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", scenario.COMPRESSIONS)
def test_round_trip(target: scenario.Broker, compression: str, idempotent: bool) -> None:
    scenario.round_trip(CLIENT, target, compression=compression, idempotent=idempotent)


@pytest.mark.parametrize("protocol", CLIENT.protocols)
def test_group_of_two(target: scenario.Broker, protocol: str) -> None:
    scenario.group_of_two(CLIENT, target, protocol=protocol)


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_restart_in_the_middle(fresh_target: scenario.Broker, kill: bool) -> None:
    scenario.restart_in_the_middle(CLIENT, fresh_target, kill=kill)
