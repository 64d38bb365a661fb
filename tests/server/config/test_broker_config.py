"""Layers of a node's settings: which one wins, what is refused, and what is only warned about."""

from __future__ import annotations

import subprocess
import sys

import pytest

from klamm.server.config.addresses import Address
from klamm.server.config.broker_config import BrokerConfig, Origin, parse_overrides
from klamm.server.config.definitions import UnknownConfigError
from klamm.server.config.listeners import Endpoint
from klamm.server.config.properties import parse_properties
from klamm.server.config.values import ConfigError


def load(properties: str = "", **more: object) -> BrokerConfig:
    return BrokerConfig.load(properties=parse_properties(properties), **more)  # type: ignore[arg-type]


def test_nothing_said_is_a_whole_cluster_of_one() -> None:
    config = load()
    assert config.roles == {"broker", "controller"}
    assert config.node_id == 1
    assert config.int("broker.id") == 1
    assert config.listeners.broker == (Endpoint("PLAINTEXT", "127.0.0.1", 9092, "PLAINTEXT"),)
    assert config.listeners.controller == (Endpoint("CONTROLLER", "127.0.0.1", 0, "PLAINTEXT"),)
    assert config.quorum_bootstrap_servers == (Address("127.0.0.1", 0),)
    assert config.int("offsets.topic.num.partitions") == 50
    assert config.log_dirs == ("/tmp/kafka-logs",)
    assert config.warnings == ()
    assert config.cluster_id is None


def test_later_layers_win_and_each_value_knows_its_origin() -> None:
    config = load(
        "# file\nnum.partitions=2\nnum.io.threads=2\nnum.network.threads=2",
        profile="test",
        environ={"KAFKA_NUM_IO_THREADS": "4", "KAFKA_NUM_NETWORK_THREADS": "4", "CLUSTER_ID": "abc"},
        overrides={"num.network.threads": "5"},
    )
    names = ("offsets.topic.num.partitions", "num.partitions", "num.io.threads", "num.network.threads")
    assert [config.int(name) for name in names] == [5, 2, 4, 5]
    assert [config.origin(name) for name in names] == [
        Origin("profile", "profile test"),
        Origin("properties", "server.properties line 2"),
        Origin("environment", "KAFKA_NUM_IO_THREADS"),
        Origin("override", "command line"),
    ]
    assert config.origin("background.threads") == Origin("default", "")
    assert not config.is_set("background.threads")
    assert config.static["num.network.threads"] == "5"
    assert config.cluster_id == "abc"


def test_the_last_of_a_repeated_name_counts() -> None:
    assert load("num.partitions=2\nnum.partitions=3").int("num.partitions") == 3


def test_typed_getters() -> None:
    config = load("ssl.key.password=secret\nlog.dirs=/a, /b")
    assert config.int("offsets.topic.replication.factor") == 3
    assert config.long("log.segment.delete.delay.ms") == 60000
    assert config.double("log.cleaner.io.buffer.load.factor") == 0.9
    assert config.bool("delete.topic.enable") is True
    assert config.string("compression.type") == "producer"
    assert config.string("ssl.key.password") == "secret"
    assert config.list("log.dirs") == ("/a", "/b") == config.log_dirs
    assert config.strings("advertised.listeners") == ()
    assert config.get("log.retention.ms") is None
    assert config.metadata_log_dir == "/a"
    for getter in (config.int, config.double, config.bool, config.strings):
        with pytest.raises(TypeError):
            getter("compression.type")
    with pytest.raises(TypeError):
        config.string("num.partitions")
    with pytest.raises(TypeError):
        config.int("delete.topic.enable")
    with pytest.raises(KeyError):
        config.int("no.such.key")


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ({"properties": "\nnum.partitions=none"}, "server.properties line 2"),
        ({"environ": {"KAFKA_NUM_PARTITIONS": "none"}}, "KAFKA_NUM_PARTITIONS"),
        ({"overrides": {"num.partitions": "none"}}, "command line"),
    ],
)
def test_a_bad_value_is_refused_wherever_it_comes_from(source: dict[str, object], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**source)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"num.partitions: 'none' is not valid ({place}); expected a 32-bit integer of at least 1"
    )


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ({"properties": "num.partition=1", "properties_name": "x.properties"}, "x.properties line 1"),
        ({"overrides": {"num.partition": "1"}}, "command line"),
    ],
)
def test_an_unknown_name_is_refused_with_a_guess(source: dict[str, object], place: str) -> None:
    with pytest.raises(UnknownConfigError) as caught:
        load(**source)  # type: ignore[arg-type]
    assert "num.partitions" in caught.value.similar
    assert str(caught.value).startswith(f"num.partition: there is no such broker setting ({place}); did you mean ")


def test_an_unknown_name_in_the_environment_is_only_warned_about() -> None:
    config = load(environ={"KAFKA_BOOTSTRAP_SERVERS": "x:1", "KAFKA_NUM_PARTITION": "1"})
    assert len(config.warnings) == 2
    assert "KAFKA_BOOTSTRAP_SERVERS" in config.warnings[0]
    assert "did you mean num.partitions" in config.warnings[1]
    assert "num.partition" not in config.static


def test_an_unknown_profile() -> None:
    with pytest.raises(ConfigError, match="one of kafka, test"):
        load(profile="prod")


def test_foreign_names_are_kept_and_warned_about() -> None:
    config = load(
        "confluent.metrics.enable=false\nzookeeper.connect=x:2181\ninter.broker.protocol.version=3.9\n"
        "super.users=User:admin\nleader.replication.throttled.rate=1\nlistener.name.x.my.plugin=1"
    )
    assert [warning.split(" ")[0] for warning in config.warnings] == [
        "confluent.metrics.enable",
        "zookeeper.connect",
        "inter.broker.protocol.version",
        "leader.replication.throttled.rate",
        "listener.name.x.my.plugin",
    ]
    assert config.static["super.users"] == "User:admin"
    assert config.static["confluent.metrics.enable"] == "false"


def test_a_listener_has_values_of_its_own() -> None:
    config = load("ssl.client.auth=none\nlistener.name.internal.ssl.client.auth=required")
    assert config.string("ssl.client.auth") == "none"
    assert config.string("ssl.client.auth", listener="INTERNAL") == "required"
    assert config.string("ssl.client.auth", listener="OTHER") == "none"
    with pytest.raises(ConfigError, match=r"listener.name.internal.ssl.client.auth: 'maybe'"):
        load("listener.name.internal.ssl.client.auth=maybe")


def test_node_id_and_broker_id_stand_for_each_other() -> None:
    assert load("broker.id=7").node_id == 7
    assert load("node.id=7").int("broker.id") == 7
    with pytest.raises(ConfigError, match=r"the same as broker.id, which is 8"):
        load("node.id=7\nbroker.id=8")


def test_a_stated_role_leaves_the_rest_to_the_user() -> None:
    with pytest.raises(ConfigError, match=r"controller.listener.names"):
        load("process.roles=broker\nnode.id=1")
    with pytest.raises(ConfigError, match=r"node.id"):
        load("process.roles=broker\ncontroller.listener.names=C")


def test_what_the_user_says_is_completed_to_one_node() -> None:
    config = load(
        "listeners=EXTERNAL://:19092\nadvertised.listeners=EXTERNAL://kafka:19092\nbroker.id=3\n"
        "listener.security.protocol.map=EXTERNAL:PLAINTEXT\ninter.broker.listener.name=EXTERNAL"
    )
    assert config.listeners.broker == (Endpoint("EXTERNAL", "", 19092, "PLAINTEXT"),)
    assert config.listeners.advertised_broker == (Endpoint("EXTERNAL", "kafka", 19092, "PLAINTEXT"),)
    assert config.listeners.controller == (Endpoint("CONTROLLER", "127.0.0.1", 0, "PLAINTEXT"),)
    assert config.origin("listeners").layer == "properties"
    config = load("controller.listener.names=ctl\nlisteners=PLAINTEXT://:0,CTL://:0\ncontroller.quorum.voters=1@h:1")
    assert [endpoint.name for endpoint in config.listeners.controller] == ["CTL"]
    assert config.quorum_voters == {1: Address("h", 1)}
    assert config.quorum_bootstrap_servers == ()


def test_times_take_their_unit_from_the_name() -> None:
    assert load().log_retention_ms == 168 * 3_600_000
    assert load("log.retention.hours=1").log_retention_ms == 3_600_000
    assert load("log.retention.minutes=2\nlog.retention.hours=1").log_retention_ms == 120_000
    assert load("log.retention.ms=3\nlog.retention.minutes=2").log_retention_ms == 3
    assert load("log.retention.ms=-5").log_retention_ms == -1
    assert load("log.roll.hours=2\nlog.roll.jitter.hours=1").log_roll_ms == 7_200_000
    assert load("log.roll.hours=2\nlog.roll.jitter.hours=1").log_roll_jitter_ms == 3_600_000
    assert load("log.flush.scheduler.interval.ms=9").log_flush_interval_ms == 9


def test_changed_lays_dynamic_settings_over_it() -> None:
    config = load("num.io.threads=2")
    changed = config.changed({"num.io.threads": "3", "num.network.threads": "6"}, {"num.io.threads": "4"})
    assert (changed.int("num.io.threads"), changed.int("num.network.threads")) == (4, 6)
    assert changed.origin("num.io.threads") == Origin("dynamic", "this broker")
    assert config.int("num.io.threads") == 2
    changed = load("log.retention.hours=1").changed({"log.retention.ms": "5"})
    assert (changed.log_retention_ms, changed.int("log.retention.hours")) == (5, 168)
    with pytest.raises(ConfigError, match="this broker"):
        config.changed({}, {"num.io.threads": "0"})
    with pytest.raises(ConfigError, match=r"cordoned.log.dirs"):
        config.changed({}, {"cordoned.log.dirs": "/elsewhere"})


def test_overrides() -> None:
    assert parse_overrides(["a=1", " b = x=y", "a=2"]) == {"a": "2", "b": " x=y"}
    for bad in ("a", "=1"):
        with pytest.raises(ConfigError, match="key=value"):
            parse_overrides([bad])


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ("group.consumer.session.timeout.ms=60001", "group.consumer.session.timeout.ms"),
        ("group.consumer.heartbeat.interval.ms=4999", "group.consumer.min.heartbeat.interval.ms"),
        ("group.share.session.timeout.ms=44999", "group.share.min.session.timeout.ms"),
        ("group.streams.num.standby.replicas=3", "group.streams.num.standby.replicas"),
        ("group.share.max.share.sessions=1", "group.share.max.size"),
        (
            "group.consumer.max.heartbeat.interval.ms=45000\ngroup.consumer.heartbeat.interval.ms=45000",
            "group.consumer.heartbeat.interval.ms",
        ),
        ("group.share.assignors=a,b", "group.share.assignors"),
        ("group.coordinator.rebalance.protocols=consumer", "group.coordinator.rebalance.protocols"),
        ("replica.fetch.wait.max.ms=30001", "replica.fetch.wait.max.ms"),
        ("log.cleaner.min.compaction.lag.ms=2\nlog.cleaner.max.compaction.lag.ms=1",
         "log.cleaner.min.compaction.lag.ms"),
        ("log.cleaner.threads=128", "log.cleaner.dedupe.buffer.size"),
        ("log.retention.ms=0", "log.retention.ms"),
        ("log.roll.ms=0", "log.roll.ms"),
        ("log.roll.jitter.ms=-1", "log.roll.jitter.ms"),
        ("cordoned.log.dirs=/x", "cordoned.log.dirs"),
        ("cordoned.log.dirs=*,/tmp/kafka-logs", "cordoned.log.dirs"),
        ("queued.max.request.bytes=1", "queued.max.request.bytes"),
        ("max.connections.per.ip=0", "max.connections.per.ip"),
        ("max.connections.per.ip.overrides=a b:1", "max.connections.per.ip.overrides"),
        ("max.connections.per.ip.overrides=a", "max.connections.per.ip.overrides"),
        ("connections.max.idle.ms=100", "connection.failed.authentication.delay.ms"),
        ("controller.quorum.voters=2@h:1", "controller.quorum.voters"),
        ("early.start.listeners=SSL", "early.start.listeners"),
        ("security.inter.broker.protocol=SASL_PLAINTEXT\nlisteners=SASL_PLAINTEXT://:0\n"
         "listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT\nsasl.enabled.mechanisms=PLAIN",
         "sasl.mechanism.inter.broker.protocol"),
        ("remote.log.storage.system.enable=true\nlog.retention.bytes=5\nlog.local.retention.bytes=6",
         "local.retention.bytes"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other(properties: str, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(properties)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ("controller.quorum.bootstrap.servers=", "controller.quorum.bootstrap.servers"),
        ("controller.quorum.voters=1@h:1", "controller.quorum.voters"),
        ("controller.quorum.auto.join.enable=true", "controller.quorum.auto.join.enable"),
    ],
)
def test_a_broker_that_is_no_controller(properties: str, name: str) -> None:
    base = "process.roles=broker\nnode.id=1\ncontroller.listener.names=C\ncontroller.quorum.bootstrap.servers=h:1\n"
    assert load(base).roles == {"broker"}
    with pytest.raises(ConfigError) as caught:
        load(base + properties)
    assert caught.value.name == name


def test_allowed_though_close_to_the_edge() -> None:
    load("cordoned.log.dirs=*")
    load("max.connections.per.ip=0\nmax.connections.per.ip.overrides=127.0.0.1:5, [::1]:6".replace("[::1]", "::1"))
    load("connections.max.idle.ms=-1")
    load("queued.max.request.bytes=-1")
    load("log.cleaner.threads=0")


def test_a_long_heartbeat_is_warned_about() -> None:
    [warning] = load("broker.heartbeat.interval.ms=5000").warnings
    assert "broker.session.timeout.ms" in warning


def test_a_start_imports_no_documentation() -> None:
    program = (
        "import sys\n"
        "from klamm.server.config.broker_config import BrokerConfig\n"
        "BrokerConfig.load(profile='test', overrides={'num.partitions': '3'})\n"
        "loaded = [name for name in sys.modules if name.startswith('klamm.server.config.docs')]\n"
        "assert not loaded, loaded\n"
        "assert 'difflib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
