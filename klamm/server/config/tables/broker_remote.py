"""Broker keys: tiered storage.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import (
    BOOLEAN,
    CLUSTER_WIDE,
    DOUBLE,
    INT,
    LONG,
    LONG_MAX,
    LOW,
    MEDIUM,
    NON_EMPTY,
    STRING,
    ConfigKey,
    at_least,
    between,
)

REMOTE_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("remote.fetch.max.wait.ms", INT, 500, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.list.offsets.request.timeout.ms", LONG, 30000, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.log.index.file.cache.total.size.bytes", LONG, 1_073_741_824, at_least(1), LOW, CLUSTER_WIDE),
    ConfigKey("remote.log.index.file.cache.ttl.ms", LONG, 900_000, at_least(-1), LOW, internal=True),
    ConfigKey("remote.log.manager.copier.thread.pool.size", INT, 10, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.log.manager.copy.max.bytes.per.second", LONG, LONG_MAX, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.log.manager.copy.quota.window.num", INT, 11, at_least(1), MEDIUM),
    ConfigKey("remote.log.manager.copy.quota.window.size.seconds", INT, 1, at_least(1), MEDIUM),
    ConfigKey("remote.log.manager.expiration.thread.pool.size", INT, 10, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.log.manager.fetch.max.bytes.per.second", LONG, LONG_MAX, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.log.manager.fetch.quota.window.num", INT, 11, at_least(1), MEDIUM),
    ConfigKey("remote.log.manager.fetch.quota.window.size.seconds", INT, 1, at_least(1), MEDIUM),
    ConfigKey("remote.log.manager.follower.thread.pool.size", INT, 2, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.log.manager.task.interval.ms", LONG, 30000, at_least(1), LOW),
    ConfigKey("remote.log.manager.task.retry.backoff.max.ms", LONG, 30000, at_least(1), LOW, internal=True),
    ConfigKey("remote.log.manager.task.retry.backoff.ms", LONG, 500, at_least(1), LOW, internal=True),
    ConfigKey("remote.log.manager.task.retry.jitter", DOUBLE, 0.2, between(0, 0.5), LOW, internal=True),
    ConfigKey("remote.log.manager.thread.pool.size", INT, 2, at_least(1), MEDIUM),
    ConfigKey("remote.log.metadata.custom.metadata.max.bytes", INT, 128, at_least(0), LOW),
    ConfigKey(
        "remote.log.metadata.manager.class.name",
        STRING,
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        NON_EMPTY,
        MEDIUM,
    ),
    ConfigKey("remote.log.metadata.manager.class.path", STRING, None, None, MEDIUM),
    ConfigKey("remote.log.metadata.manager.impl.prefix", STRING, "rlmm.config.", NON_EMPTY, MEDIUM),
    ConfigKey("remote.log.metadata.manager.listener.name", STRING, None, NON_EMPTY, MEDIUM),
    ConfigKey("remote.log.reader.max.pending.tasks", INT, 100, at_least(1), MEDIUM),
    ConfigKey("remote.log.reader.threads", INT, 10, at_least(1), MEDIUM, CLUSTER_WIDE),
    ConfigKey("remote.log.storage.manager.class.name", STRING, None, NON_EMPTY, MEDIUM),
    ConfigKey("remote.log.storage.manager.class.path", STRING, None, None, MEDIUM),
    ConfigKey("remote.log.storage.manager.impl.prefix", STRING, "rsm.config.", NON_EMPTY, MEDIUM),
    ConfigKey("remote.log.storage.system.enable", BOOLEAN, False, None, MEDIUM),
)
