"""sarama against the broker under test: every compression, idempotence, groups of two, restarts, old versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compat import scenario
from compat.drive.build import DRIVE, go_program
from compat.drive.program import DrivenClient, Program

pytestmark = pytest.mark.needs("go")

HERE = Path(__file__).resolve().parent
NEWEST = "4.3.1"
# Sarama speaks the versions of the Kafka release that it is told. 2.1 is the oldest that Kafka 4 serves (KIP-896); 2.8
# is sarama's default.
OLDER = ("2.1.0", "2.8.0", "3.9.0")


class Sarama(DrivenClient):
    protocols = ("eager", "cooperative")


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program([str(go_program(HERE, uses=[DRIVE]))]) as running:
        yield running


@pytest.fixture(scope="module")
def client(program: Program) -> Sarama:
    return Sarama(program, version=NEWEST)


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", scenario.COMPRESSIONS)
def test_round_trip(target: scenario.Broker, client: Sarama, compression: str, idempotent: bool) -> None:
    scenario.round_trip(client, target, compression=compression, idempotent=idempotent)


@pytest.mark.parametrize("version", OLDER)
def test_older_versions(target: scenario.Broker, program: Program, version: str) -> None:
    older = Sarama(program, version=version)
    scenario.round_trip(older, target, compression="zstd", idempotent=True)
    scenario.group_of_two(older, target, protocol="eager")


@pytest.mark.parametrize("protocol", Sarama.protocols)
def test_group_of_two(target: scenario.Broker, client: Sarama, protocol: str) -> None:
    scenario.group_of_two(client, target, protocol=protocol)


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_restart_in_the_middle(target: scenario.Broker, client: Sarama, kill: bool) -> None:
    scenario.restart_in_the_middle(client, target, kill=kill)
