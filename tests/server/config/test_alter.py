"""The rules that the settings of topics, groups, subscriptions and brokers must keep."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.server.config.alter import check_broker_name, check_changes, check_dynamic_broker_settings
from klamm.server.config.layers import Layers
from klamm.server.config.resource_rules import check_client_metrics, check_group, check_topic


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"retention.m": "1"}, "retention.m"),
        ({"retention.ms": "x"}, "retention.ms"),
        ({"retention.ms": "-2"}, "retention.ms"),
        ({"cleanup.policy": "delete,"}, "cleanup.policy"),
        ({"min.compaction.lag.ms": "2", "max.compaction.lag.ms": "1"}, "min.compaction.lag.ms"),
        ({"remote.storage.enable": "true"}, "remote.storage.enable"),
    ],
)
def test_bad_topic_settings(settings: dict[str, str], name: str) -> None:
    with pytest.raises(KafkaError) as caught:
        check_topic(Layers(resource=settings), {})
    assert caught.value.code == errors.INVALID_CONFIG
    assert caught.value.message.startswith(f"{name}: ")


def test_a_topic_may_contradict_the_brokers_value() -> None:
    layers = Layers(static={"log.cleaner.max.compaction.lag.ms": "5"}, resource={"min.compaction.lag.ms": "6"})
    with pytest.raises(KafkaError, match=r"max.compaction.lag.ms, which is 5"):
        check_topic(layers, {})


def test_good_topic_settings() -> None:
    values = check_topic(Layers(resource={"cleanup.policy": "compact, delete", "retention.ms": "-1"}), {})
    assert (values["cleanup.policy"], values["retention.ms"]) == (("compact", "delete"), -1)
    assert values["segment.bytes"] == 1073741824
    check_topic(Layers(resource={"cleanup.policy": ""}), {})


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({}, None),
        ({"cleanup.policy": ""}, None),
        ({"cleanup.policy": "compact"}, "cleanup.policy"),
        ({"cleanup.policy": "compact,delete"}, "cleanup.policy"),
        ({"retention.ms": "5", "local.retention.ms": "5"}, None),
        ({"retention.ms": "5", "local.retention.ms": "6"}, "local.retention.ms"),
        ({"retention.ms": "5", "local.retention.ms": "-1"}, "local.retention.ms"),
        ({"retention.ms": "-1", "local.retention.ms": "-1"}, None),
        ({"retention.bytes": "5", "local.retention.bytes": "6"}, "local.retention.bytes"),
        ({"remote.log.copy.disable": "true"}, None),
        ({"remote.log.copy.disable": "true", "local.retention.ms": "604800000"}, None),
        ({"remote.log.copy.disable": "true", "local.retention.ms": "5"}, "local.retention.ms"),
    ],
)
def test_tiered_topics(settings: dict[str, str], refused: str | None) -> None:
    layers = Layers({"remote.log.storage.system.enable": "true"}, resource={"remote.storage.enable": "true"} | settings)
    if refused is None:
        check_topic(layers, {})
    else:
        with pytest.raises(KafkaError) as caught:
            check_topic(layers, {})
        assert caught.value.message.startswith(f"{refused}: ")


def test_turning_tiering_off_must_say_what_becomes_of_the_data() -> None:
    before = {"remote.storage.enable": "true"}
    for settings in ({}, {"remote.storage.enable": "false"}):
        with pytest.raises(KafkaError, match=r"remote.log.delete.on.disable"):
            check_topic(Layers(resource=settings), before)
    check_topic(Layers(resource={"remote.storage.enable": "false", "remote.log.delete.on.disable": "true"}), before)
    check_topic(Layers(resource={}), {"remote.storage.enable": "false"})


@pytest.mark.parametrize(
    ("settings", "static", "refused"),
    [
        ({}, {}, None),
        ({"consumer.session.timeout.ms": "45000"}, {}, None),
        ({"consumer.session.timeout.ms": "44999"}, {}, "consumer.session.timeout.ms"),
        ({"consumer.session.timeout.ms": "60001"}, {}, "consumer.session.timeout.ms"),
        ({"share.delivery.count.limit": "11"}, {}, "share.delivery.count.limit"),
        ({"streams.num.standby.replicas": "3"}, {}, "streams.num.standby.replicas"),
        ({"consumer.assignment.interval.ms": "15001"}, {}, "consumer.assignment.interval.ms"),
        ({"no.such.key": "1"}, {}, "no.such.key"),
        ({"share.isolation.level": "x"}, {}, "share.isolation.level"),
        (
            {"consumer.heartbeat.interval.ms": "45000"},
            {"group.consumer.max.heartbeat.interval.ms": "45000"},
            "consumer.session.timeout.ms",
        ),
        # An assignment interval that only comes from the broker is not held against bounds that were set later.
        ({}, {"group.consumer.max.assignment.interval.ms": "1"}, None),
    ],
)
def test_groups(settings: dict[str, str], static: dict[str, str], refused: str | None) -> None:
    layers = Layers(static, resource=settings)
    if refused is None:
        assert check_group(layers)["consumer.session.timeout.ms"] == 45000
    else:
        with pytest.raises(KafkaError) as caught:
            check_group(layers)
        assert caught.value.code == errors.INVALID_CONFIG
        assert caught.value.message.startswith(f"{refused}: ")


@pytest.mark.parametrize(
    ("name", "settings", "code"),
    [
        ("s", {"interval.ms": "100", "metrics": "*", "match": "client_id=a.*, client_source_port=9\\d"}, None),
        ("s", {"interval.ms": "3600000"}, None),
        ("s", {"match": ""}, None),
        ("", {}, errors.INVALID_REQUEST),
        ("s", {"intervall.ms": "100"}, errors.INVALID_REQUEST),
        ("s", {"interval.ms": "99"}, errors.INVALID_REQUEST),
        ("s", {"interval.ms": "3600001"}, errors.INVALID_REQUEST),
        ("s", {"interval.ms": "x"}, errors.INVALID_CONFIG),
        ("s", {"match": "client_id"}, errors.INVALID_CONFIG),
        ("s", {"match": "client_id=a=b"}, errors.INVALID_CONFIG),
        ("s", {"match": "host=a"}, errors.INVALID_CONFIG),
        ("s", {"match": "client_id=["}, errors.INVALID_CONFIG),
    ],
)
def test_client_metrics(name: str, settings: dict[str, str], code: int | None) -> None:
    if code is None:
        check_client_metrics(name, settings)
    else:
        with pytest.raises(KafkaError) as caught:
            check_client_metrics(name, settings)
        assert caught.value.code == code


def test_changes_are_checked_as_a_whole() -> None:
    layers = Layers(resource={"max.compaction.lag.ms": "5", "retention.ms": "1"})
    assert check_changes("topic", "t", layers, {"retention.ms": None, "segment.ms": "9"}) == {
        "max.compaction.lag.ms": "5",
        "segment.ms": "9",
    }
    with pytest.raises(KafkaError, match=r"min.compaction.lag.ms"):
        check_changes("topic", "t", layers, {"min.compaction.lag.ms": "6"})
    assert check_changes("group", "g", Layers(), {"share.isolation.level": "read_committed"})
    with pytest.raises(KafkaError, match="name of a group"):
        check_changes("group", "", Layers(), {})
    with pytest.raises(KafkaError, match="needs a name"):
        check_changes("client-metrics", "", Layers(), {})
    with pytest.raises(KafkaError, match="no broker id"):
        check_changes("broker", "x", Layers(), {})


def test_values_have_a_length() -> None:
    throttled = "leader.replication.throttled.replicas"
    entries = ",".join(["0:1"] * 8192)
    assert check_changes("topic", "t", Layers(), {throttled: entries}) == {throttled: entries}
    with pytest.raises(KafkaError, match="longer than 32767") as caught:
        check_changes("topic", "t", Layers(), {throttled: entries + ","})
    assert caught.value.code == errors.INVALID_CONFIG


@pytest.mark.parametrize("name", ["-1", "x", "1.0", "2147483648", "²"])
def test_bad_broker_names(name: str) -> None:
    with pytest.raises(KafkaError) as caught:
        check_broker_name(name)
    assert caught.value.code == errors.INVALID_REQUEST


def test_good_broker_names() -> None:
    for name in ("", "0", "2147483647"):
        check_broker_name(name)


@pytest.mark.parametrize(
    ("settings", "per_broker"),
    [
        ({"num.io.threads": "0"}, True),
        ({"num.partitions": "2"}, True),
        ({"ssl.keystore.location": "/x"}, True),
        ({"listeners": "PLAINTEXT://:1"}, False),
        ({"cordoned.log.dirs": "*"}, False),
        ({"listener.name.x.ssl.keystore.location": "/x"}, False),
        ({"listener.name.x.ssl.client.auth": "maybe"}, True),
        ({"leader.replication.throttled.rate": "-1"}, True),
    ],
)
def test_what_brokers_cannot_take_up(settings: dict[str, str], per_broker: bool) -> None:
    [name] = settings
    with pytest.raises(KafkaError) as caught:
        check_dynamic_broker_settings(settings, per_broker=per_broker)
    assert caught.value.code == errors.INVALID_REQUEST
    assert name.split(".x.")[-1] in caught.value.message


def test_what_brokers_can_take_up() -> None:
    everywhere = {
        "num.io.threads": "4",
        "leader.replication.throttled.rate": "1",
        "listener.name.x.max.connections": "5",
        "plugin.setting": "x",
        "log.retention.ms": "-1",
    }
    check_dynamic_broker_settings(everywhere, per_broker=False)
    check_dynamic_broker_settings(everywhere, per_broker=True)
    one = {"listener.name.x.ssl.keystore.location": "/x", "cordoned.log.dirs": "*", "sasl.enabled.mechanisms": "PLAIN"}
    check_dynamic_broker_settings(one, per_broker=True)
