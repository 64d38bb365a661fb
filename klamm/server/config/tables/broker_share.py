"""Broker keys: share groups and the coordinator of their state.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import (
    CLUSTER_WIDE,
    HIGH,
    INT,
    LIST,
    LOW,
    MEDIUM,
    SHORT,
    STRING,
    ConfigKey,
    at_least,
    between,
)

SHARE_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("group.share.assignment.interval.ms", INT, 1000, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("group.share.assignors", LIST, ("simple",), None, MEDIUM, non_empty=True),
    ConfigKey("group.share.delivery.count.limit", INT, 5, between(2, 10), MEDIUM),
    ConfigKey("group.share.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM),
    ConfigKey("group.share.initialize.retry.interval.ms", INT, 30000, at_least(1), LOW, internal=True),
    ConfigKey("group.share.max.assignment.interval.ms", INT, 15000, at_least(0), MEDIUM),
    ConfigKey("group.share.max.delivery.count.limit", INT, 10, between(5, 25), MEDIUM),
    ConfigKey("group.share.max.heartbeat.interval.ms", INT, 15000, at_least(1), MEDIUM),
    ConfigKey("group.share.max.partition.max.record.locks", INT, 4000, between(2000, 10000), MEDIUM),
    ConfigKey("group.share.max.record.lock.duration.ms", INT, 60000, between(30000, 3600000), MEDIUM),
    ConfigKey("group.share.max.session.timeout.ms", INT, 60000, at_least(1), MEDIUM),
    ConfigKey("group.share.max.share.sessions", INT, 2000, at_least(1), MEDIUM),
    ConfigKey("group.share.max.size", INT, 200, between(1, 1000), MEDIUM),
    ConfigKey("group.share.min.assignment.interval.ms", INT, 0, at_least(0), MEDIUM),
    ConfigKey("group.share.min.delivery.count.limit", INT, 2, between(2, 5), MEDIUM),
    ConfigKey("group.share.min.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM),
    ConfigKey("group.share.min.partition.max.record.locks", INT, 100, between(100, 2000), MEDIUM),
    ConfigKey("group.share.min.record.lock.duration.ms", INT, 15000, between(1000, 30000), MEDIUM),
    ConfigKey("group.share.min.session.timeout.ms", INT, 45000, at_least(1), MEDIUM),
    ConfigKey("group.share.partition.max.record.locks", INT, 2000, between(100, 10000), MEDIUM),
    ConfigKey(
        "group.share.persister.class.name",
        STRING,
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
        None,
        MEDIUM,
        internal=True,
    ),
    ConfigKey("group.share.record.lock.duration.ms", INT, 30000, between(1000, 3600000), MEDIUM),
    ConfigKey("group.share.session.timeout.ms", INT, 45000, at_least(1), MEDIUM),
    ConfigKey("share.coordinator.append.linger.ms", INT, -1, at_least(-1), MEDIUM),
    ConfigKey("share.coordinator.cached.buffer.max.bytes", INT, 1_048_588, at_least(524288), MEDIUM, CLUSTER_WIDE),
    ConfigKey("share.coordinator.cold.partition.snapshot.interval.ms", INT, 300_000, at_least(1), LOW, internal=True),
    ConfigKey("share.coordinator.load.buffer.size", INT, 5_242_880, at_least(1), HIGH),
    ConfigKey("share.coordinator.snapshot.update.records.per.snapshot", INT, 500, between(0, 500), MEDIUM),
    ConfigKey("share.coordinator.state.topic.compression.codec", INT, 0, None, HIGH),
    ConfigKey("share.coordinator.state.topic.min.isr", SHORT, 2, at_least(1), HIGH),
    ConfigKey("share.coordinator.state.topic.num.partitions", INT, 50, at_least(1), HIGH),
    ConfigKey("share.coordinator.state.topic.prune.interval.ms", INT, 300_000, at_least(1), LOW, internal=True),
    ConfigKey("share.coordinator.state.topic.replication.factor", SHORT, 3, at_least(1), HIGH),
    ConfigKey("share.coordinator.state.topic.segment.bytes", INT, 104_857_600, at_least(1), HIGH),
    ConfigKey("share.coordinator.threads", INT, 1, at_least(1), MEDIUM),
    ConfigKey("share.coordinator.write.timeout.ms", INT, 5000, at_least(1), HIGH),
    ConfigKey("share.fetch.purgatory.purge.interval.requests", INT, 1000, None, MEDIUM),
)
