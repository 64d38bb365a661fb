"""Which of a node's settings must agree with each other: Kafka's cross-field checks, one function a subject.

Rules of listeners are in `listeners.py`. Each check raises `ConfigError` for the first setting that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from klamm.server.config.addresses import is_host
from klamm.server.config.definitions import TOPIC
from klamm.server.config.layers import inherited_values
from klamm.server.config.resource_rules import check_tiered_retention
from klamm.server.config.values import ConfigError

if TYPE_CHECKING:
    from klamm.server.config.broker_config import BrokerConfig

# Pairs of which the first must not be greater than the second.
_ORDERED: Final = (
    *(
        pair
        for group, key in (
            ("consumer", "heartbeat.interval.ms"),
            ("consumer", "session.timeout.ms"),
            ("consumer", "assignment.interval.ms"),
            ("share", "heartbeat.interval.ms"),
            ("share", "session.timeout.ms"),
            ("share", "assignment.interval.ms"),
            ("share", "delivery.count.limit"),
            ("share", "partition.max.record.locks"),
            ("share", "record.lock.duration.ms"),
            ("streams", "heartbeat.interval.ms"),
            ("streams", "session.timeout.ms"),
            ("streams", "assignment.interval.ms"),
        )
        for pair in (
            (f"group.{group}.min.{key}", f"group.{group}.{key}"),
            (f"group.{group}.{key}", f"group.{group}.max.{key}"),
        )
    ),
    ("group.streams.num.standby.replicas", "group.streams.max.standby.replicas"),
    ("group.share.max.size", "group.share.max.share.sessions"),
    ("replica.fetch.wait.max.ms", "replica.socket.timeout.ms"),
    ("replica.fetch.wait.max.ms", "replica.lag.time.max.ms"),
    ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
)

# Each key must be less than the one after it.
_BELOW: Final = (
    ("group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms"),
    ("group.share.heartbeat.interval.ms", "group.share.session.timeout.ms"),
    ("group.streams.heartbeat.interval.ms", "group.streams.session.timeout.ms"),
)


def check(config: BrokerConfig) -> tuple[str, ...]:
    """Every check of a node's settings; what is only doubtful comes back as warnings, a sentence each."""
    for low, high in _ORDERED:
        if config.int(low) > config.int(high):
            raise ConfigError(low, config.int(low), f"no more than {high}, which is {config.int(high)}")
    for low, high in _BELOW:
        if config.int(low) >= config.int(high):
            raise ConfigError(low, config.int(low), f"less than {high}, which is {config.int(high)}")
    _check_identity(config)
    _check_quorum(config)
    _check_logs(config)
    _check_network(config)
    _check_groups(config)
    return tuple(_warnings(config))


def _check_identity(config: BrokerConfig) -> None:
    if config.int("broker.id") != config.node_id:
        raise ConfigError("node.id", config.node_id, f"the same as broker.id, which is {config.int('broker.id')}")


def _check_quorum(config: BrokerConfig) -> None:
    voters = config.quorum_voters
    if not voters and not config.quorum_bootstrap_servers:
        expected = "host:port entries, as controller.quorum.voters is not set either"
        raise ConfigError("controller.quorum.bootstrap.servers", "", expected)
    listed = ",".join(config.strings("controller.quorum.voters"))
    if "controller" in config.roles:
        if voters and config.node_id not in voters:
            expected = f"an entry for node {config.node_id}, as it is a controller"
            raise ConfigError("controller.quorum.voters", listed, expected)
        return
    if config.node_id in voters:
        raise ConfigError(
            "controller.quorum.voters", listed, f"no entry for node {config.node_id}, as it is only broker"
        )
    if config.bool("controller.quorum.auto.join.enable"):
        raise ConfigError("controller.quorum.auto.join.enable", True, "false on a node that is only broker")


def _check_logs(config: BrokerConfig) -> None:
    if config.log_roll_ms < 1:
        raise ConfigError("log.roll.ms", config.log_roll_ms, "at least 1")
    if config.log_roll_jitter_ms < 0:
        raise ConfigError("log.roll.jitter.ms", config.log_roll_jitter_ms, "at least 0")
    if config.log_retention_ms == 0:
        raise ConfigError("log.retention.ms", 0, "at least 1, or -1 to keep records for ever")
    threads = config.int("log.cleaner.threads")
    buffer_size = config.int("log.cleaner.dedupe.buffer.size")
    # Kafka divides before it compares; without cleaner threads there is nothing to share.
    if threads and buffer_size // threads <= 1024 * 1024:
        raise ConfigError(
            "log.cleaner.dedupe.buffer.size", buffer_size, f"more than 1 MiB for each of {threads} threads"
        )
    if config.bool("remote.log.storage.system.enable"):
        check_tiered_retention(inherited_values(TOPIC, config.layers()))
    cordoned = config.strings("cordoned.log.dirs")
    if "broker" not in config.roles or cordoned == ("*",):
        return
    strangers = [directory for directory in cordoned if directory not in config.log_dirs]
    if strangers:
        raise ConfigError("cordoned.log.dirs", ",".join(cordoned), "* alone, or directories that log.dirs has")


def _check_network(config: BrokerConfig) -> None:
    queued, largest = config.int("queued.max.request.bytes"), config.int("socket.request.max.bytes")
    if 0 < queued < largest:
        raise ConfigError(
            "queued.max.request.bytes", queued, f"no less than socket.request.max.bytes ({largest}), or -1"
        )
    overrides = connection_overrides(config.string("max.connections.per.ip.overrides"))
    if config.int("max.connections.per.ip") == 0 and not overrides:
        raise ConfigError("max.connections.per.ip", 0, "more than 0 where max.connections.per.ip.overrides is empty")
    idle_ms, delay_ms = config.int("connections.max.idle.ms"), config.int("connection.failed.authentication.delay.ms")
    if 0 <= idle_ms <= delay_ms:
        expected = f"less than connections.max.idle.ms, which is {idle_ms}"
        raise ConfigError("connection.failed.authentication.delay.ms", delay_ms, expected)
    names = {endpoint.name for endpoint in config.listeners.broker + config.listeners.controller}
    early = config.strings("early.start.listeners")
    if not {name.upper() for name in early} <= names:
        raise ConfigError(
            "early.start.listeners", ",".join(early), f"only names that listeners has: {', '.join(sorted(names))}"
        )
    mechanism = config.string("sasl.mechanism.inter.broker.protocol")
    inter_broker = config.listeners.inter_broker
    if config.listeners.inter_broker_security_protocol.startswith("SASL_") and "broker" in config.roles:
        enabled = config.strings("sasl.enabled.mechanisms", inter_broker)
        if mechanism not in enabled:
            expected = f"a mechanism that sasl.enabled.mechanisms has: {', '.join(enabled)}"
            raise ConfigError("sasl.mechanism.inter.broker.protocol", mechanism, expected)


def connection_overrides(text: str) -> dict[str, int]:
    """`host:count` pairs of max.connections.per.ip.overrides; ConfigError when one is no such pair."""
    overrides = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        host, _, count = pair.rpartition(":")
        if not host or not is_host(host.strip()) or not count.strip().isdecimal():
            raise ConfigError("max.connections.per.ip.overrides", pair, "pairs of the form host:count")
        overrides[host.strip()] = int(count)
    return overrides


def _check_groups(config: BrokerConfig) -> None:
    protocols = config.strings("group.coordinator.rebalance.protocols")
    if "classic" not in protocols:
        raise ConfigError("group.coordinator.rebalance.protocols", ",".join(protocols), "a list with classic in it")
    assignors = config.strings("group.share.assignors")
    if len(assignors) != 1:
        raise ConfigError("group.share.assignors", ",".join(assignors), "exactly one assignor")


def _warnings(config: BrokerConfig) -> Iterator[str]:
    heartbeat_ms, session_ms = config.int("broker.heartbeat.interval.ms"), config.int("broker.session.timeout.ms")
    if heartbeat_ms * 2 > session_ms:
        yield (
            f"broker.heartbeat.interval.ms ({heartbeat_ms}) should be at most half of broker.session.timeout.ms "
            f"({session_ms}), or one lost heartbeat fences the broker"
        )
