"""Quota keys: of brokers, of users and clients, of addresses, and the SCRAM credentials that go with users.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import DOUBLE, INT, INT_MAX, LONG, LONG_MAX, MEDIUM, STRING, ConfigKey, at_least

BROKER_QUOTA_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("follower.replication.throttled.rate", LONG, LONG_MAX, at_least(0), MEDIUM),
    ConfigKey("leader.replication.throttled.rate", LONG, LONG_MAX, at_least(0), MEDIUM),
    ConfigKey("replica.alter.log.dirs.io.max.bytes.per.second", LONG, LONG_MAX, at_least(0), MEDIUM),
)

CLIENT_QUOTA_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("consumer_byte_rate", LONG, LONG_MAX, None, MEDIUM),
    ConfigKey("controller_mutation_rate", DOUBLE, 2147483647.0, None, MEDIUM),
    ConfigKey("producer_byte_rate", LONG, LONG_MAX, None, MEDIUM),
    ConfigKey("request_percentage", DOUBLE, 2147483647.0, None, MEDIUM),
)

SCRAM_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("SCRAM-SHA-256", STRING, None, None, MEDIUM),
    ConfigKey("SCRAM-SHA-512", STRING, None, None, MEDIUM),
)

IP_QUOTA_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("connection_creation_rate", INT, INT_MAX, at_least(0), MEDIUM),
)
