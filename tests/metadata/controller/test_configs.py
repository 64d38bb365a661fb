"""What alterations refuse and write beyond what the recording of a real node shows (test_calibration.py)."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.messages.alter_configs import AlterConfigsRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.metadata.controller.configs import APPEND, DELETE, SET, SUBTRACT, ConfigControl
from klamm.metadata.image.image import BROKER_RESOURCE, EMPTY, TOPIC_RESOURCE, MetadataDelta, MetadataImage

Row = IncrementalAlterConfigsRequest.AlterConfigsResource
BROKER_1 = m.RegisterBrokerRecord(broker_id=1, broker_epoch=0, incarnation_id=b"i" * 16, rack=None)
CONTROLLER_3 = m.RegisterControllerRecord(controller_id=3, incarnation_id=b"j" * 16)


def image(elr: int = 1, **configs: str) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    delta.apply(m.FeatureLevelRecord(name="metadata.version", feature_level=30))
    delta.apply(m.FeatureLevelRecord(name="eligible.leader.replicas.version", feature_level=elr))
    delta.apply(m.TopicRecord(name="a", topic_id=b"a" * 16))
    delta.apply(BROKER_1)
    delta.apply(CONTROLLER_3)
    for key, value in configs.items():
        delta.apply(m.ConfigRecord(resource_type=2, resource_name="a", name=key.replace("_", "."), value=value))
    return delta.build(1, 1)


def decide(lab: Any, state: MetadataImage, *configs: tuple[str, int, str | None], where: Any = (2, "a")) -> Any:
    rows = [Row.AlterableConfig(name=n, config_operation=op, value=v) for n, op, v in configs]
    request = IncrementalAlterConfigsRequest(
        resources=[Row(resource_type=where[0], resource_name=where[1], configs=rows)], validate_only=False
    )
    return ConfigControl(lambda: state, lab.rules).incremental_alter(request)


def written(decision: Any) -> list[tuple[str, str | None]]:
    return [(r.name, r.value) for r in decision.records if isinstance(r, m.ConfigRecord)]


@pytest.mark.parametrize(
    ("now", "change", "expected"),
    [
        ({}, (APPEND, "delete"), [("cleanup.policy", "delete")]),  # the default has it, the topic has not
        ({}, (APPEND, "compact,delete"), [("cleanup.policy", "delete,compact")]),
        ({"cleanup_policy": "compact"}, (APPEND, "delete"), [("cleanup.policy", "compact,delete")]),
        ({"cleanup_policy": "compact,delete"}, (SUBTRACT, "delete"), [("cleanup.policy", "compact")]),
        ({"cleanup_policy": "compact"}, (SUBTRACT, "delete"), []),
        ({"cleanup_policy": "compact"}, (SET, "compact"), []),
        ({"cleanup_policy": "compact"}, (DELETE, None), [("cleanup.policy", None)]),
        ({}, (DELETE, None), []),
    ],
)
def test_operations(lab: Any, now: dict[str, str], change: tuple[int, str | None], expected: Any) -> None:
    decision = decide(lab, image(**now), ("cleanup.policy", *change))
    assert decision.response.responses[0].error_code == errors.NONE
    assert written(decision) == expected


def test_unknown_operation_is_refused_and_the_controller_lives(lab: Any) -> None:
    decision = decide(lab, image(), ("retention.ms", 9, "1"))
    assert decision.response.responses[0].error_code == errors.INVALID_REQUEST and not decision.records


def test_one_bad_key_spoils_its_resource_only(lab: Any) -> None:
    good = Row(
        resource_type=BROKER_RESOURCE,
        resource_name="",
        configs=[Row.AlterableConfig(name="x", config_operation=SET, value="1")],
    )
    bad = Row(
        resource_type=TOPIC_RESOURCE,
        resource_name="a",
        configs=[
            Row.AlterableConfig(name="retention.ms", config_operation=SET, value="1"),
            Row.AlterableConfig(name="nope", config_operation=SET, value="1"),
        ],
    )
    request = IncrementalAlterConfigsRequest(resources=[bad, good], validate_only=False)
    decision = ConfigControl(image, lab.rules).incremental_alter(request)
    assert [r.error_code for r in decision.response.responses] == [errors.INVALID_CONFIG, errors.NONE]  # type: ignore[union-attr]
    assert written(decision) == [("x", "1")]


@pytest.mark.parametrize(("elr", "types"), [(1, [m.ConfigRecord, m.ClearElrRecord]), (0, [m.ConfigRecord])])
def test_new_minimum_clears_the_elr_where_there_is_one(lab: Any, elr: int, types: Any) -> None:
    decision = decide(lab, image(elr), ("min.insync.replicas", SET, "2"))
    assert [type(record) for record in decision.records] == types


@pytest.mark.parametrize("name", ["", "1"])
def test_minimum_of_brokers_is_free_without_elr(lab: Any, name: str) -> None:
    decision = decide(lab, image(0), ("min.insync.replicas", DELETE, None), where=(BROKER_RESOURCE, name))
    assert decision.response.responses[0].error_code == errors.NONE


@pytest.mark.parametrize(
    ("name", "code"),
    [("", 0), ("1", 0), ("3", 0), ("2", errors.BROKER_ID_NOT_REGISTERED), ("x", errors.INVALID_REQUEST)],
)
def test_only_nodes_that_are_registered_have_configs(lab: Any, name: str, code: int) -> None:
    decision = decide(lab, image(), ("log.retention.ms", SET, "2"), where=(BROKER_RESOURCE, name))
    assert decision.response.responses[0].error_code == code and bool(decision.records) == (code == 0)


@pytest.mark.parametrize(("more", "code"), [("b" * 2766, errors.NONE), ("b" * 2767, errors.INVALID_CONFIG)])
def test_a_value_grows_to_32767_characters(lab: Any, more: str, code: int) -> None:
    decision = decide(lab, image(cleanup_policy="a" * 30_000), ("cleanup.policy", APPEND, more))
    assert decision.response.responses[0].error_code == code


def test_replace_deletes_what_is_not_named(lab: Any) -> None:
    row = AlterConfigsRequest.AlterConfigsResource
    request = AlterConfigsRequest(
        resources=[
            row(resource_type=2, resource_name="a", configs=[row.AlterableConfig(name="retention.ms", value="2")])
        ],
        validate_only=False,
    )
    state = image(segment_ms="1", retention_ms="1")
    decision = ConfigControl(lambda: state, lab.rules).legacy_alter(request)
    assert written(decision) == [("retention.ms", "2"), ("segment.ms", None)]


@pytest.mark.parametrize(("level", "code"), [(29, errors.INVALID_CONFIG), (30, errors.NONE)])
@pytest.mark.parametrize("change", [(SET, "/data"), (DELETE, None)])
def test_cordoning_begins_with_its_level(lab: Any, level: int, code: int, change: tuple[int, str | None]) -> None:
    delta = MetadataDelta(EMPTY)
    delta.apply(m.FeatureLevelRecord(name="metadata.version", feature_level=level))
    delta.apply(BROKER_1)
    [result] = decide(lab, delta.build(1, 1), ("cordoned.log.dirs", *change), where=(4, "1")).response.responses
    assert result.error_code == code
    if code:
        assert result.error_message.endswith("it requires metadata.version >= 4.3-IV0")
