"""DescribeConfigs: value, source and synonyms of settings, case by case as Kafka's ConfigHelper answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config.definitions import definitions
from klamm.server.config.describe import (
    CLIENT_METRICS_CONFIG,
    DEFAULT_CONFIG,
    DYNAMIC_BROKER_CONFIG,
    DYNAMIC_DEFAULT_BROKER_CONFIG,
    DYNAMIC_TOPIC_CONFIG,
    GROUP_CONFIG,
    STATIC_BROKER_CONFIG,
    ConfigEntry,
    Synonym,
    created_topic_configs,
    describe,
    describe_all,
    describe_default_broker,
    documentation_of,
)
from klamm.server.config.layers import Layers, group_bounds, group_values, topic_values

DATA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "configs.json").read_text())
HOUR_MS = 3_600_000


def test_a_topic_key_with_every_layer() -> None:
    layers = Layers(
        static={"log.segment.bytes": "2000000"},
        dynamic_default={"log.segment.bytes": "3000000"},
        dynamic_broker={"log.segment.bytes": "4000000"},
        resource={"segment.bytes": " 5000000"},
    )
    assert describe("topic", "segment.bytes", layers) == ConfigEntry(
        "segment.bytes",
        "5000000",
        DYNAMIC_TOPIC_CONFIG,
        3,
        False,
        False,
        (
            Synonym("segment.bytes", "5000000", DYNAMIC_TOPIC_CONFIG),
            Synonym("log.segment.bytes", "4000000", DYNAMIC_BROKER_CONFIG),
            Synonym("log.segment.bytes", "3000000", DYNAMIC_DEFAULT_BROKER_CONFIG),
            Synonym("log.segment.bytes", "2000000", STATIC_BROKER_CONFIG),
            Synonym("log.segment.bytes", "1073741824", DEFAULT_CONFIG),
        ),
    )


@pytest.mark.parametrize(
    ("layers", "value", "source"),
    [
        (Layers(), "1073741824", DEFAULT_CONFIG),
        (Layers(static={"log.segment.bytes": "2000000"}), "2000000", STATIC_BROKER_CONFIG),
        (Layers(dynamic_default={"log.segment.bytes": "2000000"}), "2000000", DYNAMIC_DEFAULT_BROKER_CONFIG),
        (Layers(dynamic_broker={"log.segment.bytes": "2000000"}), "2000000", DYNAMIC_BROKER_CONFIG),
    ],
)
def test_a_topic_takes_the_brokers_value(layers: Layers, value: str, source: int) -> None:
    entry = describe("topic", "segment.bytes", layers)
    assert (entry.value, entry.source) == (value, source)
    assert entry.synonyms[0] == Synonym("log.segment.bytes", value, source)


def test_a_topics_retention_in_hours_has_no_source_and_no_synonyms() -> None:
    # Kafka drops every synonym before the first named log.retention.ms, and there is none.
    entry = describe("topic", "retention.ms", Layers(static={"log.retention.hours": "2"}))
    assert (entry.value, entry.source, entry.synonyms) == (str(2 * HOUR_MS), DEFAULT_CONFIG, ())


def test_a_topics_retention_with_milliseconds_shows_the_others_behind_it() -> None:
    layers = Layers(static={"log.retention.hours": "2", "log.retention.ms": "5"})
    assert describe("topic", "retention.ms", layers).synonyms == (
        Synonym("log.retention.ms", "5", STATIC_BROKER_CONFIG),
        Synonym("log.retention.hours", "2", STATIC_BROKER_CONFIG),
        Synonym("log.retention.hours", "168", DEFAULT_CONFIG),
    )


def test_topic_defaults_are_the_oracles() -> None:
    entries = {entry.name: entry for entry in describe_all("topic", Layers())}
    rows = [row for row in DATA["topic"] if not row.get("internal")]
    assert sorted(entries) == sorted(row["name"] for row in rows)
    for row in rows:
        entry = entries[row["name"]]
        assert (entry.value, entry.source) == (row["default_string"], DEFAULT_CONFIG)
        assert not entry.read_only


def test_internal_topic_keys_show_only_when_set() -> None:
    assert "internal.segment.bytes" not in {entry.name for entry in describe_all("topic", Layers())}
    entries = describe_all("topic", Layers(resource={"internal.segment.bytes": "100"}), ["internal.segment.bytes"])
    assert [(entry.value, entry.source) for entry in entries] == [("100", DYNAMIC_TOPIC_CONFIG)]


def test_a_topic_key_without_a_broker_key() -> None:
    entry = describe("topic", "remote.storage.enable", Layers())
    assert (entry.value, entry.source, entry.synonyms) == ("false", DEFAULT_CONFIG, ())


def test_names_narrow_the_list() -> None:
    entries = describe_all("topic", Layers(), ["retention.ms", "segment.ms", "no.such.key"])
    assert [entry.name for entry in entries] == ["retention.ms", "segment.ms"]


def test_broker_defaults_are_the_oracles() -> None:
    layers = BrokerConfig.load().layers()
    entries = {entry.name: entry for entry in describe_all("broker", layers)}
    for row in DATA["broker"]:
        if row.get("internal"):
            assert row["name"] not in entries
            continue
        entry = entries[row["name"]]
        assert entry.read_only == (row["name"] not in DATA["allDynamicBrokerConfigs"])
        assert entry.is_sensitive == (row["type"] == "PASSWORD")
        if row["name"] not in layers.static:
            assert (entry.value, entry.source) == (row["default_string"], DEFAULT_CONFIG)
        assert documentation_of("broker", row["name"])


def test_a_broker_key_with_every_layer() -> None:
    layers = Layers({"num.io.threads": "2"}, {"num.io.threads": "3"}, {"num.io.threads": "4"})
    assert describe("broker", "num.io.threads", layers) == ConfigEntry(
        "num.io.threads",
        "4",
        DYNAMIC_BROKER_CONFIG,
        3,
        False,
        False,
        (
            Synonym("num.io.threads", "4", DYNAMIC_BROKER_CONFIG),
            Synonym("num.io.threads", "3", DYNAMIC_DEFAULT_BROKER_CONFIG),
            Synonym("num.io.threads", "2", STATIC_BROKER_CONFIG),
            Synonym("num.io.threads", "8", DEFAULT_CONFIG),
        ),
    )


def test_broker_synonyms_in_other_units() -> None:
    layers = Layers(static={"log.roll.hours": "1"}, dynamic_broker={"log.roll.ms": "7"})
    # The dynamic value has taken the static one's place: Kafka shows the default, with the source of what was set.
    entry = describe("broker", "log.roll.hours", layers)
    assert (entry.value, entry.source) == ("168", STATIC_BROKER_CONFIG)
    entry = describe("broker", "log.roll.hours", Layers(static={"log.roll.hours": "1"}))
    assert (entry.value, entry.source) == ("1", STATIC_BROKER_CONFIG)
    entry = describe("broker", "log.roll.ms", layers)
    assert entry.synonyms == (
        Synonym("log.roll.ms", "7", DYNAMIC_BROKER_CONFIG),
        Synonym("log.roll.hours", "1", STATIC_BROKER_CONFIG),
        Synonym("log.roll.hours", "168", DEFAULT_CONFIG),
    )


def test_secrets_are_never_shown() -> None:
    layers = Layers(
        static={"ssl.key.password": "hunter2", "listener.name.x.ssl.key.password": "hunter2", "my.own": "x"}
    )
    entries = describe_all("broker", layers)
    assert "hunter2" not in repr(entries)
    by_name = {entry.name: entry for entry in entries}
    entry = by_name["ssl.key.password"]
    assert (entry.value, entry.source, entry.type, entry.is_sensitive) == (None, STATIC_BROKER_CONFIG, 9, True)
    entry = by_name["listener.name.x.ssl.key.password"]
    assert (entry.value, entry.type, entry.is_sensitive, entry.read_only) == (None, 9, True, True)
    assert [synonym.name for synonym in entry.synonyms] == ["listener.name.x.ssl.key.password", "ssl.key.password"]
    entry = by_name["my.own"]
    assert (entry.value, entry.type, entry.is_sensitive) == (None, 0, True)
    assert documentation_of("broker", "my.own") is None


def test_a_listeners_own_value() -> None:
    layers = Layers(static={"listener.name.x.ssl.client.auth": "required"})
    entry = describe("broker", "listener.name.x.ssl.client.auth", layers)
    assert (entry.value, entry.source, entry.type) == ("required", STATIC_BROKER_CONFIG, 2)
    assert entry.synonyms[-1] == Synonym("ssl.client.auth", "none", DEFAULT_CONFIG)
    assert describe("broker", "ssl.client.auth", layers).synonyms == (
        Synonym("ssl.client.auth", "none", DEFAULT_CONFIG),
    )


def test_an_unknown_broker_key_that_is_not_set() -> None:
    with pytest.raises(KeyError):
        describe("broker", "no.such.key", Layers())
    with pytest.raises(KeyError):
        describe("topic", "no.such.key", Layers())


def test_what_is_set_for_all_brokers() -> None:
    layers = Layers({"num.io.threads": "2"}, {"num.io.threads": "3", "leader.replication.throttled.rate": "9"})
    assert describe_default_broker(layers) == [
        ConfigEntry(
            "leader.replication.throttled.rate",
            "9",
            DYNAMIC_DEFAULT_BROKER_CONFIG,
            5,
            False,
            False,
            (Synonym("leader.replication.throttled.rate", "9", DYNAMIC_DEFAULT_BROKER_CONFIG),),
        ),
        ConfigEntry(
            "num.io.threads",
            "3",
            DYNAMIC_DEFAULT_BROKER_CONFIG,
            3,
            False,
            False,
            (Synonym("num.io.threads", "3", DYNAMIC_DEFAULT_BROKER_CONFIG),),
        ),
    ]
    assert [entry.name for entry in describe_default_broker(layers, ["num.io.threads"])] == ["num.io.threads"]


def test_a_group() -> None:
    layers = Layers(
        static={"group.consumer.session.timeout.ms": "50000"},
        resource={"consumer.session.timeout.ms": "55000", "share.auto.offset.reset": "earliest"},
    )
    assert describe("group", "consumer.session.timeout.ms", layers).synonyms == (
        Synonym("consumer.session.timeout.ms", "55000", GROUP_CONFIG),
        Synonym("group.consumer.session.timeout.ms", "50000", STATIC_BROKER_CONFIG),
        Synonym("group.consumer.session.timeout.ms", "45000", DEFAULT_CONFIG),
    )
    assert describe("group", "share.auto.offset.reset", layers).synonyms == (
        Synonym("share.auto.offset.reset", "earliest", GROUP_CONFIG),
        Synonym("share.auto.offset.reset", "latest", DEFAULT_CONFIG),
    )
    entry = describe("group", "share.isolation.level", layers)
    assert (entry.source, entry.synonyms) == (
        DEFAULT_CONFIG,
        (Synonym("share.isolation.level", "read_uncommitted", DEFAULT_CONFIG),),
    )


def test_group_defaults_are_the_oracles() -> None:
    entries = {entry.name: entry.value for entry in describe_all("group", Layers())}
    assert entries == {row["name"]: row["default_string"] for row in DATA["group"]}


def test_client_metrics() -> None:
    layers = Layers(resource={"interval.ms": "1000"})
    own = Synonym("interval.ms", "1000", CLIENT_METRICS_CONFIG)
    assert describe("client-metrics", "interval.ms", layers).synonyms == (own,)
    entry = describe("client-metrics", "match", layers)
    assert (entry.value, entry.source, entry.type, entry.synonyms) == ("", DEFAULT_CONFIG, 7, ())
    assert documentation_of("client-metrics", "match")


def test_created_topics_show_any_synonym_of_a_layer() -> None:
    layers = Layers(
        static={"log.retention.hours": "2", "log.segment.bytes": "2000000"},
        dynamic_default={"log.roll.ms": "9"},
        dynamic_broker={"compression.type": "zstd"},
        resource={"cleanup.policy": "compact"},
    )
    entries = {entry.name: (entry.value, entry.source) for entry in created_topic_configs(layers)}
    assert entries["retention.ms"] == (str(2 * HOUR_MS), STATIC_BROKER_CONFIG)
    assert entries["segment.bytes"] == ("2000000", STATIC_BROKER_CONFIG)
    assert entries["segment.ms"] == ("9", DYNAMIC_DEFAULT_BROKER_CONFIG)
    assert entries["compression.type"] == ("zstd", DYNAMIC_BROKER_CONFIG)
    assert entries["cleanup.policy"] == ("compact", DYNAMIC_TOPIC_CONFIG)
    assert entries["index.interval.bytes"] == ("4096", DEFAULT_CONFIG)
    assert "internal.segment.bytes" not in entries


@pytest.mark.parametrize(
    ("static", "name", "value"),
    [
        ({"log.retention.hours": "2"}, "retention.ms", 2 * HOUR_MS),
        ({"log.retention.minutes": "3", "log.retention.hours": "2"}, "retention.ms", 180_000),
        ({"log.retention.ms": "-7"}, "retention.ms", -1),
        ({"log.retention.minutes": "-1"}, "retention.ms", -1),
        ({"log.roll.hours": "1"}, "segment.ms", HOUR_MS),
        ({"log.roll.jitter.hours": "1"}, "segment.jitter.ms", HOUR_MS),
        ({"log.flush.scheduler.interval.ms": "11"}, "flush.ms", 11),
        ({"log.preallocate": "true"}, "preallocate", True),
    ],
)
def test_topic_values(static: dict[str, str], name: str, value: object) -> None:
    assert topic_values(Layers(static))[name] == value
    own = {"retention.ms": "5", "segment.ms": "5", "segment.jitter.ms": "5", "flush.ms": "5", "preallocate": "false"}
    assert topic_values(Layers(static, resource=own))[name] == (False if value is True else 5)


def test_group_values_stay_within_the_brokers_bounds() -> None:
    layers = Layers(
        resource={
            "consumer.session.timeout.ms": "1",
            "share.delivery.count.limit": "99",
            "streams.num.standby.replicas": "9",
            "streams.initial.rebalance.delay.ms": "123456789",
            "left.over": "x",
        }
    )
    values = group_values(layers)
    assert values["consumer.session.timeout.ms"] == 45000
    assert values["share.delivery.count.limit"] == 10
    assert values["streams.num.standby.replicas"] == 2
    assert values["streams.initial.rebalance.delay.ms"] == 123456789
    assert "left.over" not in values
    # The broker's own value is not drawn to its bounds.
    assert group_values(Layers())["consumer.heartbeat.interval.ms"] == 5000


def test_every_group_key_has_its_bounds() -> None:
    bounded = {name: group_bounds(name) for name in definitions("group")}
    assert {name for name, bounds in bounded.items() if bounds == (None, None)} == {
        "share.auto.offset.reset",
        "share.isolation.level",
        "share.renew.acknowledge.enable",
        "streams.initial.rebalance.delay.ms",
    }
    assert bounded["streams.num.standby.replicas"] == (None, "group.streams.max.standby.replicas")
    assert bounded["share.record.lock.duration.ms"] == (
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    )
    assert sum(None not in bounds for bounds in bounded.values()) == 12
