"""Broker keys: listeners, connections and requests.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import (
    CLUSTER_WIDE,
    GZIP_LEVEL,
    HIGH,
    INT,
    INT_MAX,
    LIST,
    LONG,
    LOW,
    MEDIUM,
    PER_BROKER,
    STRING,
    ConfigKey,
    at_least,
    between,
    one_of,
)

NETWORK_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("advertised.listeners", LIST, None, None, HIGH, non_empty=True),
    ConfigKey("compression.gzip.level", INT, -1, GZIP_LEVEL, MEDIUM, CLUSTER_WIDE),
    ConfigKey("compression.lz4.level", INT, 9, between(1, 17), MEDIUM, CLUSTER_WIDE),
    ConfigKey(
        "compression.type",
        STRING,
        "producer",
        one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        HIGH,
        CLUSTER_WIDE,
    ),
    ConfigKey("compression.zstd.level", INT, 3, between(-131072, 22), MEDIUM, CLUSTER_WIDE),
    ConfigKey("connection.failed.authentication.delay.ms", INT, 100, at_least(0), LOW),
    ConfigKey("connections.max.idle.ms", LONG, 600_000, None, MEDIUM),
    ConfigKey("delete.records.purgatory.purge.interval.requests", INT, 1, None, MEDIUM),
    ConfigKey("fetch.max.bytes", INT, 57_671_680, at_least(1024), MEDIUM),
    ConfigKey("fetch.purgatory.purge.interval.requests", INT, 1000, None, MEDIUM),
    ConfigKey("inter.broker.listener.name", STRING, None, None, MEDIUM),
    ConfigKey(
        "listener.security.protocol.map",
        STRING,
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        None,
        LOW,
        PER_BROKER,
    ),
    ConfigKey("listeners", LIST, ("PLAINTEXT://:9092",), None, HIGH, PER_BROKER, non_empty=True),
    ConfigKey("max.connection.creation.rate", INT, INT_MAX, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("max.connections", INT, INT_MAX, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("max.connections.per.ip", INT, INT_MAX, at_least(0), MEDIUM, CLUSTER_WIDE),
    ConfigKey("max.connections.per.ip.overrides", STRING, "", None, MEDIUM, CLUSTER_WIDE),
    ConfigKey("max.incremental.fetch.session.cache.slots", INT, 1000, at_least(0), MEDIUM),
    ConfigKey("max.request.partition.size.limit", INT, 2000, at_least(1), MEDIUM),
    ConfigKey("message.max.bytes", INT, 1_048_588, at_least(0), HIGH, CLUSTER_WIDE),
    ConfigKey("num.network.threads", INT, 3, at_least(1), HIGH, CLUSTER_WIDE),
    ConfigKey("producer.purgatory.purge.interval.requests", INT, 1000, None, MEDIUM),
    ConfigKey("queued.max.request.bytes", LONG, -1, None, MEDIUM),
    ConfigKey("queued.max.requests", INT, 500, at_least(1), HIGH),
    ConfigKey("socket.connection.setup.timeout.max.ms", LONG, 30000, None, MEDIUM),
    ConfigKey("socket.connection.setup.timeout.ms", LONG, 10000, None, MEDIUM),
    ConfigKey("socket.listen.backlog.size", INT, 50, at_least(1), MEDIUM),
    ConfigKey("socket.receive.buffer.bytes", INT, 102_400, None, HIGH),
    ConfigKey("socket.request.max.bytes", INT, 104_857_600, at_least(1), HIGH),
    ConfigKey("socket.send.buffer.bytes", INT, 102_400, None, HIGH),
)
