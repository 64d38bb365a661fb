"""The JVMs of the Java suites: one for each version of the clients, one for the command line tools."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat import kafka_jars
from compat.java.client import Client, Driver
from compat.java.tools import Cli, Tools
from compat.targets import Target

VERSIONS = {"4.3.1": kafka_jars.KAFKA, "2.8.2": kafka_jars.OLD_CLIENTS}


@pytest.fixture(scope="session", params=sorted(VERSIONS, reverse=True))
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Kafka's Java clients, in each version."""
    driver = Driver(VERSIONS[request.param], tmp_path_factory.mktemp("java"))
    yield Client(driver, request.param)
    driver.close()


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    """The command line tools of Kafka 4.3.1."""
    running = Tools(tmp_path_factory.mktemp("tools"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def cli(tools: Tools, target: Target) -> Cli:
    """The command line tools, pointed at the broker under test."""
    return Cli(tools, target.bootstrap)
