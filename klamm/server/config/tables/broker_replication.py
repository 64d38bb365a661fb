"""Broker keys: topics, replicas and leaders.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import BOOLEAN, CLUSTER_WIDE, HIGH, INT, LONG, MEDIUM, STRING, ConfigKey, at_least

REPLICATION_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("auto.leader.rebalance.enable", BOOLEAN, True, None, HIGH),
    ConfigKey("default.replication.factor", INT, 1, None, MEDIUM),
    ConfigKey("follower.fetch.last.tiered.offset.enable", BOOLEAN, False, None, MEDIUM, CLUSTER_WIDE),
    ConfigKey("leader.imbalance.check.interval.seconds", LONG, 300, at_least(1), HIGH),
    ConfigKey("min.insync.replicas", INT, 1, at_least(1), HIGH, CLUSTER_WIDE),
    ConfigKey("num.partitions", INT, 1, at_least(1), MEDIUM),
    ConfigKey("num.replica.alter.log.dirs.threads", INT, None, None, HIGH),
    ConfigKey("num.replica.fetchers", INT, 1, at_least(1), HIGH, CLUSTER_WIDE),
    ConfigKey("replica.fetch.backoff.ms", INT, 1000, at_least(0), MEDIUM),
    ConfigKey("replica.fetch.max.bytes", INT, 1_048_576, at_least(0), MEDIUM),
    ConfigKey("replica.fetch.min.bytes", INT, 1, None, HIGH),
    ConfigKey("replica.fetch.response.max.bytes", INT, 10_485_760, at_least(0), MEDIUM),
    ConfigKey("replica.fetch.wait.max.ms", INT, 500, None, HIGH),
    ConfigKey("replica.high.watermark.checkpoint.interval.ms", LONG, 5000, None, HIGH),
    ConfigKey("replica.lag.time.max.ms", LONG, 30000, None, HIGH),
    ConfigKey("replica.selector.class", STRING, None, None, MEDIUM),
    ConfigKey("replica.socket.receive.buffer.bytes", INT, 65536, None, HIGH),
    ConfigKey("replica.socket.timeout.ms", INT, 30000, None, HIGH),
    ConfigKey("unclean.leader.election.enable", BOOLEAN, False, None, HIGH, CLUSTER_WIDE),
    ConfigKey("unclean.leader.election.interval.ms", LONG, 300_000, at_least(1), MEDIUM, internal=True),
)
