"""kafkajs against the broker under test: every compression, idempotence, groups of two, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compat import scenario
from compat.drive.build import node_package
from compat.drive.program import DrivenClient, Program

pytestmark = pytest.mark.needs("node", "npm")

HERE = Path(__file__).resolve().parent


class KafkaJs(DrivenClient):
    # kafkajs has no cooperative protocol, and measures a null header as if it were text.
    protocols = ("eager",)
    null_headers = False


@pytest.fixture(scope="module")
def client() -> Iterator[KafkaJs]:
    with Program(["node", "main.js"], node_package(HERE)) as program:
        yield KafkaJs(program)


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", scenario.COMPRESSIONS)
def test_round_trip(target: scenario.Broker, client: KafkaJs, compression: str, idempotent: bool) -> None:
    scenario.round_trip(client, target, compression=compression, idempotent=idempotent)


@pytest.mark.parametrize("protocol", KafkaJs.protocols)
def test_group_of_two(target: scenario.Broker, client: KafkaJs, protocol: str) -> None:
    scenario.group_of_two(client, target, protocol=protocol)


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_restart_in_the_middle(target: scenario.Broker, client: KafkaJs, kill: bool) -> None:
    scenario.restart_in_the_middle(client, target, kill=kill)
