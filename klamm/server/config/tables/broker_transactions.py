"""Broker keys: transactions and idempotent producers.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import BOOLEAN, CLUSTER_WIDE, HIGH, INT, LOW, SHORT, ConfigKey, at_least

TRANSACTIONS_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("add.partitions.to.txn.retry.backoff.max.ms", INT, 100, at_least(0), HIGH),
    ConfigKey("add.partitions.to.txn.retry.backoff.ms", INT, 20, at_least(1), HIGH),
    ConfigKey("producer.id.expiration.check.interval.ms", INT, 600_000, at_least(1), LOW, internal=True),
    ConfigKey("producer.id.expiration.ms", INT, 86_400_000, at_least(1), LOW, CLUSTER_WIDE),
    ConfigKey("transaction.abort.timed.out.transaction.cleanup.interval.ms", INT, 10000, at_least(1), LOW),
    ConfigKey("transaction.max.timeout.ms", INT, 900_000, at_least(1), HIGH),
    ConfigKey("transaction.partition.verification.enable", BOOLEAN, True, None, LOW, CLUSTER_WIDE),
    ConfigKey("transaction.remove.expired.transaction.cleanup.interval.ms", INT, 3_600_000, at_least(1), LOW),
    ConfigKey("transaction.state.log.load.buffer.size", INT, 5_242_880, at_least(1), HIGH),
    ConfigKey("transaction.state.log.min.isr", INT, 2, at_least(1), HIGH),
    ConfigKey("transaction.state.log.num.partitions", INT, 50, at_least(1), HIGH),
    ConfigKey("transaction.state.log.replication.factor", SHORT, 3, at_least(1), HIGH),
    ConfigKey("transaction.state.log.segment.bytes", INT, 104_857_600, at_least(1), HIGH),
    ConfigKey("transaction.two.phase.commit.enable", BOOLEAN, False, None, LOW),
    ConfigKey("transactional.id.expiration.ms", INT, 604_800_000, at_least(1), HIGH),
)
