"""Broker keys: consumer and streams groups and their offsets.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import (
    CLUSTER_WIDE,
    HIGH,
    INT,
    INT_MAX,
    LIST,
    LONG,
    MEDIUM,
    SHORT,
    STRING,
    ConfigKey,
    any_case,
    at_least,
    one_of,
)

GROUPS_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("group.consumer.assignment.interval.ms", INT, 1000, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("group.consumer.assignors", LIST, ("uniform", "range"), None, MEDIUM, non_empty=True),
    ConfigKey("group.consumer.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM),
    ConfigKey("group.consumer.max.assignment.interval.ms", INT, 15000, at_least(0), MEDIUM),
    ConfigKey("group.consumer.max.heartbeat.interval.ms", INT, 15000, at_least(1), MEDIUM),
    ConfigKey("group.consumer.max.session.timeout.ms", INT, 60000, at_least(1), MEDIUM),
    ConfigKey("group.consumer.max.size", INT, INT_MAX, at_least(1), MEDIUM),
    ConfigKey(
        "group.consumer.migration.policy",
        STRING,
        "bidirectional",
        any_case("DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"),
        MEDIUM,
    ),
    ConfigKey("group.consumer.min.assignment.interval.ms", INT, 0, at_least(0), MEDIUM),
    ConfigKey("group.consumer.min.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM),
    ConfigKey("group.consumer.min.session.timeout.ms", INT, 45000, at_least(1), MEDIUM),
    ConfigKey("group.consumer.regex.refresh.interval.ms", INT, 600_000, at_least(10000), MEDIUM, internal=True),
    ConfigKey("group.consumer.session.timeout.ms", INT, 45000, at_least(1), MEDIUM),
    ConfigKey("group.coordinator.append.linger.ms", INT, -1, at_least(-1), MEDIUM),
    ConfigKey("group.coordinator.background.threads", INT, 2, at_least(1), HIGH),
    ConfigKey("group.coordinator.cached.buffer.max.bytes", INT, 1_048_588, at_least(524288), MEDIUM, CLUSTER_WIDE),
    ConfigKey(
        "group.coordinator.rebalance.protocols",
        LIST,
        ("classic", "consumer", "streams"),
        one_of("consumer", "classic", "share", "streams"),
        MEDIUM,
        non_empty=True,
    ),
    ConfigKey("group.coordinator.threads", INT, 4, at_least(1), HIGH),
    ConfigKey("group.initial.rebalance.delay.ms", INT, 3000, None, MEDIUM),
    ConfigKey("group.max.session.timeout.ms", INT, 1_800_000, None, MEDIUM),
    ConfigKey("group.max.size", INT, INT_MAX, at_least(1), MEDIUM),
    ConfigKey("group.min.session.timeout.ms", INT, 6000, None, MEDIUM),
    ConfigKey("group.streams.assignment.interval.ms", INT, 1000, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("group.streams.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM),
    ConfigKey("group.streams.initial.rebalance.delay.ms", INT, 3000, at_least(0), MEDIUM),
    ConfigKey("group.streams.max.assignment.interval.ms", INT, 15000, at_least(0), MEDIUM),
    ConfigKey("group.streams.max.heartbeat.interval.ms", INT, 15000, at_least(1), MEDIUM),
    ConfigKey("group.streams.max.session.timeout.ms", INT, 60000, at_least(1), MEDIUM),
    ConfigKey("group.streams.max.size", INT, INT_MAX, at_least(1), MEDIUM),
    ConfigKey("group.streams.max.standby.replicas", INT, 2, at_least(0), MEDIUM),
    ConfigKey("group.streams.min.assignment.interval.ms", INT, 0, at_least(0), MEDIUM),
    ConfigKey("group.streams.min.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM),
    ConfigKey("group.streams.min.session.timeout.ms", INT, 45000, at_least(1), MEDIUM),
    ConfigKey("group.streams.num.standby.replicas", INT, 0, at_least(0), MEDIUM),
    ConfigKey("group.streams.session.timeout.ms", INT, 45000, at_least(1), MEDIUM),
    ConfigKey("offset.metadata.max.bytes", INT, 4096, None, HIGH),
    ConfigKey("offsets.commit.timeout.ms", INT, 5000, at_least(1), HIGH),
    ConfigKey("offsets.load.buffer.size", INT, 5_242_880, at_least(1), HIGH),
    ConfigKey("offsets.retention.check.interval.ms", LONG, 600_000, at_least(1), HIGH),
    ConfigKey("offsets.retention.minutes", INT, 10080, at_least(1), HIGH),
    ConfigKey("offsets.topic.compression.codec", INT, 0, None, HIGH),
    ConfigKey("offsets.topic.num.partitions", INT, 50, at_least(1), HIGH),
    ConfigKey("offsets.topic.replication.factor", SHORT, 3, at_least(1), HIGH),
    ConfigKey("offsets.topic.segment.bytes", INT, 104_857_600, at_least(1), HIGH),
)
