"""DescribeConfigs: what stands in the place of a message, and which names are brokers."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResponse
from klamm.testing.wire import WireClient

Resource = DescribeConfigsRequest.DescribeConfigsResource
TOPIC, BROKER = 2, 4


@pytest.mark.parametrize(
    ("kind", "name", "code", "has_message"),
    [
        (BROKER, "1", errors.NONE, False),
        (BROKER, "1 ", errors.INVALID_REQUEST, True),
        (BROKER, "9", errors.INVALID_REQUEST, True),
        (TOPIC, "missing", errors.UNKNOWN_TOPIC_OR_PARTITION, False),
        (TOPIC, "a/b", errors.INVALID_TOPIC_EXCEPTION, True),
    ],
)
def test_messages(wire: WireClient, kind: int, name: str, code: int, has_message: bool) -> None:
    asked = [Resource(resource_type=kind, resource_name=name, configuration_keys=["none"])]
    (result,) = wire.ask(DescribeConfigsRequest(resources=asked), 4, DescribeConfigsResponse).results
    assert result.error_code == code
    assert result.error_message if has_message else result.error_message == ""


def test_a_type_without_settings_fails_the_whole_request(wire: WireClient) -> None:
    kinds = ((BROKER, "1"), (3, "x"))
    asked = [Resource(resource_type=kind, resource_name=name, configuration_keys=None) for kind, name in kinds]
    results = wire.ask(DescribeConfigsRequest(resources=asked), 4, DescribeConfigsResponse).results
    assert [(r.error_code, r.configs) for r in results] == [(errors.INVALID_REQUEST, [])] * 2
