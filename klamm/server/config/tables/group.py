"""Group keys, for consumer, share and streams groups.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import BOOLEAN, INT, MEDIUM, SHARE_OFFSET_RESET, STRING, ConfigKey, at_least, one_of

GROUP_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey(
        "consumer.assignment.interval.ms",
        INT,
        1000,
        at_least(0),
        MEDIUM,
        synonyms=("group.consumer.assignment.interval.ms",),
    ),
    ConfigKey(
        "consumer.heartbeat.interval.ms",
        INT,
        5000,
        at_least(1),
        MEDIUM,
        synonyms=("group.consumer.heartbeat.interval.ms",),
    ),
    ConfigKey(
        "consumer.session.timeout.ms", INT, 45000, at_least(1), MEDIUM, synonyms=("group.consumer.session.timeout.ms",)
    ),
    ConfigKey(
        "share.assignment.interval.ms", INT, 1000, at_least(0), MEDIUM, synonyms=("group.share.assignment.interval.ms",)
    ),
    ConfigKey("share.auto.offset.reset", STRING, "latest", SHARE_OFFSET_RESET, MEDIUM),
    ConfigKey(
        "share.delivery.count.limit", INT, 5, at_least(2), MEDIUM, synonyms=("group.share.delivery.count.limit",)
    ),
    ConfigKey(
        "share.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM, synonyms=("group.share.heartbeat.interval.ms",)
    ),
    ConfigKey(
        "share.isolation.level", STRING, "read_uncommitted", one_of("read_committed", "read_uncommitted"), MEDIUM
    ),
    ConfigKey(
        "share.partition.max.record.locks",
        INT,
        2000,
        at_least(100),
        MEDIUM,
        synonyms=("group.share.partition.max.record.locks",),
    ),
    ConfigKey(
        "share.record.lock.duration.ms",
        INT,
        30000,
        at_least(1000),
        MEDIUM,
        synonyms=("group.share.record.lock.duration.ms",),
    ),
    ConfigKey("share.renew.acknowledge.enable", BOOLEAN, True, None, MEDIUM),
    ConfigKey(
        "share.session.timeout.ms", INT, 45000, at_least(1), MEDIUM, synonyms=("group.share.session.timeout.ms",)
    ),
    ConfigKey(
        "streams.assignment.interval.ms",
        INT,
        1000,
        at_least(0),
        MEDIUM,
        synonyms=("group.streams.assignment.interval.ms",),
    ),
    ConfigKey(
        "streams.heartbeat.interval.ms",
        INT,
        5000,
        at_least(1),
        MEDIUM,
        synonyms=("group.streams.heartbeat.interval.ms",),
    ),
    ConfigKey(
        "streams.initial.rebalance.delay.ms",
        INT,
        3000,
        at_least(0),
        MEDIUM,
        synonyms=("group.streams.initial.rebalance.delay.ms",),
    ),
    ConfigKey(
        "streams.num.standby.replicas", INT, 0, at_least(0), MEDIUM, synonyms=("group.streams.num.standby.replicas",)
    ),
    ConfigKey(
        "streams.session.timeout.ms", INT, 45000, at_least(1), MEDIUM, synonyms=("group.streams.session.timeout.ms",)
    ),
)
