"""Broker keys: logs, their retention and their cleaning.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import (
    BOOLEAN,
    CLUSTER_WIDE,
    DOUBLE,
    HIGH,
    INT,
    LIST,
    LONG,
    LONG_MAX,
    LOW,
    MEDIUM,
    PER_BROKER,
    STRING,
    ConfigKey,
    at_least,
    between,
    one_of,
)

LOG_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("cordoned.log.dirs", LIST, (), None, MEDIUM, PER_BROKER),
    ConfigKey("log.cleaner.backoff.ms", LONG, 15000, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.dedupe.buffer.size", LONG, 134_217_728, None, MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.delete.retention.ms", LONG, 86_400_000, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.enable", BOOLEAN, True, None, MEDIUM),
    ConfigKey("log.cleaner.io.buffer.load.factor", DOUBLE, 0.9, None, MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.io.buffer.size", INT, 524_288, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.io.max.bytes.per.second", DOUBLE, 1.7976931348623157e308, None, MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.max.compaction.lag.ms", LONG, LONG_MAX, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.min.cleanable.ratio", DOUBLE, 0.5, between(0, 1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.min.compaction.lag.ms", LONG, 0, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleaner.threads", INT, 1, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.cleanup.policy", LIST, ("delete",), one_of("compact", "delete"), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.dir", LIST, ("/tmp/kafka-logs",), None, HIGH, non_empty=True),
    ConfigKey("log.dir.failure.timeout.ms", LONG, 30000, at_least(1), LOW),
    ConfigKey("log.dirs", LIST, None, None, HIGH, non_empty=True),
    ConfigKey("log.flush.interval.messages", LONG, LONG_MAX, at_least(1), HIGH, CLUSTER_WIDE),
    ConfigKey("log.flush.interval.ms", LONG, None, None, HIGH, CLUSTER_WIDE),
    ConfigKey("log.flush.offset.checkpoint.interval.ms", INT, 60000, at_least(0), HIGH),
    ConfigKey("log.flush.scheduler.interval.ms", LONG, LONG_MAX, None, HIGH),
    ConfigKey("log.flush.start.offset.checkpoint.interval.ms", INT, 60000, at_least(0), HIGH),
    ConfigKey("log.index.interval.bytes", INT, 4096, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.index.size.max.bytes", INT, 10_485_760, at_least(4), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.initial.task.delay.ms", LONG, 30000, at_least(0), LOW, internal=True),
    ConfigKey("log.local.retention.bytes", LONG, -2, at_least(-2), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.local.retention.ms", LONG, -2, at_least(-2), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.message.timestamp.after.max.ms", LONG, 3_600_000, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.message.timestamp.before.max.ms", LONG, LONG_MAX, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey(
        "log.message.timestamp.type", STRING, "CreateTime", one_of("CreateTime", "LogAppendTime"), MEDIUM, CLUSTER_WIDE
    ),
    ConfigKey("log.preallocate", BOOLEAN, False, None, MEDIUM, CLUSTER_WIDE),
    ConfigKey("log.retention.bytes", LONG, -1, None, HIGH, CLUSTER_WIDE),
    ConfigKey("log.retention.check.interval.ms", LONG, 300_000, at_least(1), MEDIUM),
    ConfigKey("log.retention.hours", INT, 168, None, HIGH),
    ConfigKey("log.retention.minutes", INT, None, None, HIGH),
    ConfigKey("log.retention.ms", LONG, None, None, HIGH, CLUSTER_WIDE),
    ConfigKey("log.roll.hours", INT, 168, at_least(1), HIGH),
    ConfigKey("log.roll.jitter.hours", INT, 0, at_least(0), HIGH),
    ConfigKey("log.roll.jitter.ms", LONG, None, None, HIGH, CLUSTER_WIDE),
    ConfigKey("log.roll.ms", LONG, None, None, HIGH, CLUSTER_WIDE),
    ConfigKey("log.segment.bytes", INT, 1_073_741_824, at_least(1048576), HIGH, CLUSTER_WIDE),
    ConfigKey("log.segment.delete.delay.ms", LONG, 60000, at_least(0), HIGH, CLUSTER_WIDE),
    ConfigKey("num.recovery.threads.per.data.dir", INT, 2, at_least(1), HIGH, CLUSTER_WIDE),
)
