"""Broker settings and loggers over the wire: what may change while the broker runs, and what is refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResponse
from klamm.kproto.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

TOPIC, BROKER, LOGGER = 2, 4, 8
SET, DELETE, APPEND, SUBTRACT = range(4)

Resource = IncrementalAlterConfigsRequest.AlterConfigsResource


@pytest.fixture(scope="module")
def client() -> Iterator[WireClient]:
    with Cluster() as cluster:
        cluster.create_topic("t")
        with WireClient(cluster.bootstrap_servers) as wire:
            yield wire


def resource(kind: int, name: str, *changes: tuple[str, int, str | None]) -> Resource:
    configs = [Resource.AlterableConfig(name=key, config_operation=op, value=value) for key, op, value in changes]
    return Resource(resource_type=kind, resource_name=name, configs=configs)


def alter(client: WireClient, *resources: Resource, validate_only: bool = False) -> list[int]:
    request = IncrementalAlterConfigsRequest(resources=list(resources), validate_only=validate_only)
    answers = client.ask(request, 1, IncrementalAlterConfigsResponse).responses
    assert [(a.resource_type, a.resource_name) for a in answers] == [
        (r.resource_type, r.resource_name) for r in resources
    ]
    return [answer.error_code for answer in answers]


def described(client: WireClient, kind: int, name: str, key: str) -> tuple[str | None, int]:
    asked = DescribeConfigsRequest.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=[key]
    )
    (result,) = client.ask(DescribeConfigsRequest(resources=[asked]), 4, DescribeConfigsResponse).results
    assert result.error_code == 0
    (entry,) = result.configs
    return entry.value, entry.config_source


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("1", ("log.dirs", SET, "/elsewhere"), errors.INVALID_REQUEST),
        ("", ("node.id", SET, "7"), errors.INVALID_REQUEST),
        ("1", ("log.retention.ms", SET, "soon"), errors.INVALID_REQUEST),
        ("2", ("log.retention.ms", SET, "1000"), errors.INVALID_REQUEST),
        ("one", ("log.retention.ms", SET, "1000"), errors.INVALID_REQUEST),
        ("1", ("log.retention.ms", APPEND, "1000"), errors.INVALID_CONFIG),
        ("1", ("log.retention.ms", SET, None), errors.INVALID_REQUEST),
        ("1", ("log.cleaner.threads", SET, "0"), errors.INVALID_REQUEST),
        ("1", ("log.cleaner.threads", SET, "3"), errors.INVALID_REQUEST),
        ("", ("log.cleaner.threads", SET, "2"), errors.NONE),
        ("1", ("log.retention.ms", SET, "86400000"), errors.NONE),
        ("", ("log.retention.ms", SET, "172800000"), errors.NONE),
    ],
)
def test_what_a_running_broker_takes(
    client: WireClient, name: str, change: tuple[str, int, str | None], code: int
) -> None:
    assert alter(client, resource(BROKER, name, change)) == [code]


def test_good_and_bad_resources_in_one_request(client: WireClient) -> None:
    codes = alter(
        client,
        resource(BROKER, "1", ("log.dirs", SET, "/elsewhere")),
        resource(TOPIC, "t", ("retention.ms", SET, "12345")),
        resource(LOGGER, "1", ("klamm.server.replicas", SET, "DEBUG")),
        resource(TOPIC, "no-such-topic", ("retention.ms", SET, "12345")),
    )
    assert codes == [errors.INVALID_REQUEST, 0, 0, errors.UNKNOWN_TOPIC_OR_PARTITION]
    assert described(client, TOPIC, "t", "retention.ms") == ("12345", 1)


def test_the_older_alter_configs(client: WireClient) -> None:
    row = AlterConfigsRequest.AlterConfigsResource
    request = AlterConfigsRequest(
        resources=[
            row(
                resource_type=BROKER,
                resource_name="1",
                configs=[row.AlterableConfig(name="log.dirs", value="/elsewhere")],
            ),
            row(
                resource_type=TOPIC,
                resource_name="t",
                configs=[row.AlterableConfig(name="retention.bytes", value="99")],
            ),
        ],
        validate_only=False,
    )
    answers = client.ask(request, 2, AlterConfigsResponse).responses
    assert [a.error_code for a in answers] == [errors.INVALID_REQUEST, 0]
    assert described(client, TOPIC, "t", "retention.bytes") == ("99", 1)


def test_loggers(client: WireClient) -> None:
    name = "klamm.server.listener"
    before = logging.getLogger(name).level
    try:
        assert alter(client, resource(LOGGER, "1", (name, SET, "ERROR")), validate_only=True) == [0]
        assert logging.getLogger(name).level == before
        assert alter(client, resource(LOGGER, "1", (name, SET, "ERROR"))) == [0]
        assert described(client, LOGGER, "1", name) == ("ERROR", 6)
        assert alter(client, resource(LOGGER, "1", (name, DELETE, None))) == [0]
        assert logging.getLogger(name).level == logging.NOTSET
    finally:
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("1", ("klamm.no.such.logger", SET, "ERROR"), errors.INVALID_CONFIG),
        ("1", ("klamm.server.listener", SET, "LOUD"), errors.INVALID_CONFIG),
        ("1", ("klamm.server.listener", APPEND, "ERROR"), errors.INVALID_REQUEST),
        ("1", ("root", DELETE, None), errors.INVALID_REQUEST),
        ("2", ("root", SET, "INFO"), errors.INVALID_REQUEST),
        ("", ("root", SET, "INFO"), errors.INVALID_REQUEST),
    ],
)
def test_loggers_that_cannot_be_set(
    client: WireClient, name: str, change: tuple[str, int, str | None], code: int
) -> None:
    assert alter(client, resource(LOGGER, name, change)) == [code]
