"""Topic keys.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import (
    BOOLEAN,
    DOUBLE,
    GZIP_LEVEL,
    INT,
    LIST,
    LONG,
    LONG_MAX,
    MEDIUM,
    STRING,
    THROTTLED_REPLICAS,
    ConfigKey,
    at_least,
    between,
    one_of,
)

TOPIC_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey(
        "cleanup.policy", LIST, ("delete",), one_of("compact", "delete"), MEDIUM, synonyms=("log.cleanup.policy",)
    ),
    ConfigKey("compression.gzip.level", INT, -1, GZIP_LEVEL, MEDIUM, synonyms=("compression.gzip.level",)),
    ConfigKey("compression.lz4.level", INT, 9, between(1, 17), MEDIUM, synonyms=("compression.lz4.level",)),
    ConfigKey(
        "compression.type",
        STRING,
        "producer",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        MEDIUM,
        synonyms=("compression.type",),
    ),
    ConfigKey("compression.zstd.level", INT, 3, between(-131072, 22), MEDIUM, synonyms=("compression.zstd.level",)),
    ConfigKey(
        "delete.retention.ms", LONG, 86_400_000, at_least(0), MEDIUM, synonyms=("log.cleaner.delete.retention.ms",)
    ),
    ConfigKey("file.delete.delay.ms", LONG, 60000, at_least(0), MEDIUM, synonyms=("log.segment.delete.delay.ms",)),
    ConfigKey("flush.messages", LONG, LONG_MAX, at_least(1), MEDIUM, synonyms=("log.flush.interval.messages",)),
    ConfigKey(
        "flush.ms",
        LONG,
        LONG_MAX,
        at_least(0),
        MEDIUM,
        synonyms=("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
    ),
    ConfigKey("follower.replication.throttled.replicas", LIST, (), THROTTLED_REPLICAS, MEDIUM),
    ConfigKey("index.interval.bytes", INT, 4096, at_least(0), MEDIUM, synonyms=("log.index.interval.bytes",)),
    ConfigKey("internal.segment.bytes", INT, None, None, MEDIUM, internal=True),
    ConfigKey("leader.replication.throttled.replicas", LIST, (), THROTTLED_REPLICAS, MEDIUM),
    ConfigKey("local.retention.bytes", LONG, -2, at_least(-2), MEDIUM, synonyms=("log.local.retention.bytes",)),
    ConfigKey("local.retention.ms", LONG, -2, at_least(-2), MEDIUM, synonyms=("log.local.retention.ms",)),
    ConfigKey(
        "max.compaction.lag.ms", LONG, LONG_MAX, at_least(1), MEDIUM, synonyms=("log.cleaner.max.compaction.lag.ms",)
    ),
    ConfigKey("max.message.bytes", INT, 1_048_588, at_least(0), MEDIUM, synonyms=("message.max.bytes",)),
    ConfigKey(
        "message.timestamp.after.max.ms",
        LONG,
        3_600_000,
        at_least(0),
        MEDIUM,
        synonyms=("log.message.timestamp.after.max.ms",),
    ),
    ConfigKey(
        "message.timestamp.before.max.ms",
        LONG,
        LONG_MAX,
        at_least(0),
        MEDIUM,
        synonyms=("log.message.timestamp.before.max.ms",),
    ),
    ConfigKey(
        "message.timestamp.type",
        STRING,
        "CreateTime",
        one_of("CreateTime", "LogAppendTime"),
        MEDIUM,
        synonyms=("log.message.timestamp.type",),
    ),
    ConfigKey(
        "min.cleanable.dirty.ratio", DOUBLE, 0.5, between(0, 1), MEDIUM, synonyms=("log.cleaner.min.cleanable.ratio",)
    ),
    ConfigKey("min.compaction.lag.ms", LONG, 0, at_least(0), MEDIUM, synonyms=("log.cleaner.min.compaction.lag.ms",)),
    ConfigKey("min.insync.replicas", INT, 1, at_least(1), MEDIUM, synonyms=("min.insync.replicas",)),
    ConfigKey("preallocate", BOOLEAN, False, None, MEDIUM, synonyms=("log.preallocate",)),
    ConfigKey("remote.log.copy.disable", BOOLEAN, False, None, MEDIUM),
    ConfigKey("remote.log.delete.on.disable", BOOLEAN, False, None, MEDIUM),
    ConfigKey("remote.storage.enable", BOOLEAN, False, None, MEDIUM),
    ConfigKey("retention.bytes", LONG, -1, None, MEDIUM, synonyms=("log.retention.bytes",)),
    ConfigKey(
        "retention.ms",
        LONG,
        604_800_000,
        at_least(-1),
        MEDIUM,
        synonyms=("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
    ),
    ConfigKey("segment.bytes", INT, 1_073_741_824, at_least(1048576), MEDIUM, synonyms=("log.segment.bytes",)),
    ConfigKey("segment.index.bytes", INT, 10_485_760, at_least(4), MEDIUM, synonyms=("log.index.size.max.bytes",)),
    ConfigKey(
        "segment.jitter.ms", LONG, 0, at_least(0), MEDIUM, synonyms=("log.roll.jitter.ms", "log.roll.jitter.hours")
    ),
    ConfigKey("segment.ms", LONG, 604_800_000, at_least(1), MEDIUM, synonyms=("log.roll.ms", "log.roll.hours")),
    ConfigKey(
        "unclean.leader.election.enable", BOOLEAN, False, None, MEDIUM, synonyms=("unclean.leader.election.enable",)
    ),
)
