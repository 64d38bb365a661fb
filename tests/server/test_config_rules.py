"""What the controller knows of configuration keys: what single operations make of the values of real ones."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.metadata.controller.configs import (
    APPEND,
    DELETE,
    SET,
    SUBTRACT,
    Alteration,
    edited_list,
    malformed,
    value_after,
)
from klamm.metadata.image.image import BROKER_RESOURCE, TOPIC_RESOURCE
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config_rules import ServerConfigRules

RULES = ServerConfigRules(BrokerConfig.load())
THROTTLED = "leader.replication.throttled.replicas"


@pytest.mark.parametrize(
    ("key", "before", "operation", "value", "after"),
    [
        ("retention.ms", None, SET, "1", "1"),
        ("retention.ms", "1", DELETE, None, None),
        ("retention.ms", None, DELETE, "x", None),
        ("cleanup.policy", None, APPEND, "compact", "delete,compact"),
        ("cleanup.policy", None, APPEND, "delete", "delete"),
        ("cleanup.policy", "compact,delete", SUBTRACT, "compact", "delete"),
        ("cleanup.policy", "compact", SUBTRACT, "compact", ""),
        ("cleanup.policy", "compact", SUBTRACT, "delete,other", "compact"),
        ("cleanup.policy", None, APPEND, "compact,,", "delete,compact"),
        ("cleanup.policy", None, APPEND, "", "delete,"),
        (THROTTLED, "0:1", APPEND, "0:1,1:2", "0:1,1:2"),
        (THROTTLED, None, APPEND, "0:1", "0:1"),
    ],
)
def test_values(key: str, before: str | None, operation: int, value: str | None, after: str | None) -> None:
    current = {} if before is None else {key: before}
    assert value_after(RULES, TOPIC_RESOURCE, current, Alteration(key, operation, value)) == after


@pytest.mark.parametrize("resource_type", [TOPIC_RESOURCE, BROKER_RESOURCE])
@pytest.mark.parametrize("key", ["num.io.threads", "retention.ms", "no.such.key"])
@pytest.mark.parametrize("operation", [APPEND, SUBTRACT])
def test_only_lists_are_edited(resource_type: int, key: str, operation: int) -> None:
    with pytest.raises(KafkaError, match=key) as caught:
        value_after(RULES, resource_type, {}, Alteration(key, operation, "1"))
    assert caught.value.code == errors.INVALID_CONFIG


@pytest.mark.parametrize(
    ("before", "operation", "value", "after"),
    [
        ("a,b", APPEND, "c,,", "a,b,c"),
        ("a,b", APPEND, ",c", "a,b,,c"),
        ("a", APPEND, "", "a,"),
        ("a", APPEND, ",", "a"),
        ("a,b", SUBTRACT, "b,a,", ""),
        (",a,,b", SUBTRACT, "x", "a,b"),
    ],
)
def test_lists_are_split_as_java_does(before: str, operation: int, value: str, after: str) -> None:
    assert edited_list(before, operation, value) == after


@pytest.mark.parametrize(
    "changes",
    [
        [Alteration("a", SET, "1"), Alteration("a", DELETE, None)],
        [Alteration("a", 4, "1")],
        [Alteration("a", SET, None)],
        [Alteration("a", APPEND, None)],
    ],
)
def test_malformed_changes(changes: list[Alteration]) -> None:
    failure = malformed(changes)
    assert failure is not None and failure.code == errors.INVALID_REQUEST


def test_well_formed_changes() -> None:
    assert malformed([Alteration("a", SET, ""), Alteration("b", DELETE, None), Alteration("c", DELETE, "x")]) is None
