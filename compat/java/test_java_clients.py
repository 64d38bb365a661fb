"""Kafka's Java clients, 4.3.1 and 2.8.2, against the broker under test, by the steps that all clients run."""

from __future__ import annotations

import pytest

from compat import scenario
from compat.java.client import Client

pytestmark = pytest.mark.needs("java", "javac", "mvn")


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", scenario.COMPRESSIONS)
def test_round_trip(target: scenario.Broker, client: Client, compression: str, idempotent: bool) -> None:
    scenario.round_trip(client, target, compression=compression, idempotent=idempotent)


@pytest.mark.parametrize("protocol", Client.protocols)
def test_group_of_two(target: scenario.Broker, client: Client, protocol: str) -> None:
    scenario.group_of_two(client, target, protocol=protocol)


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_restart_in_the_middle(fresh_target: scenario.Broker, client: Client, kill: bool) -> None:
    scenario.restart_in_the_middle(client, fresh_target, kill=kill)
