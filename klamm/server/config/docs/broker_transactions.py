"""What the broker keys of `tables/broker_transactions.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

TRANSACTIONS_DOCS: Final[dict[str, str]] = {
    "add.partitions.to.txn.retry.backoff.max.ms": (
        "Longest time that the broker keeps asking before it leaves the retry to the client."
    ),
    "add.partitions.to.txn.retry.backoff.ms": (
        "Pause before the broker asks again to add a partition to a transaction that is still being ended."
    ),
    "producer.id.expiration.check.interval.ms": "How often partitions look for producer ids to forget.",
    "producer.id.expiration.ms": "A partition forgets a producer id that wrote nothing for this long.",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": (
        "How often transactions past their timeout are looked for and aborted."
    ),
    "transaction.max.timeout.ms": "Longest transaction timeout that a producer may ask for.",
    "transaction.partition.verification.enable": (
        "Whether a transactional write is checked with the coordinator before it is accepted."
    ),
    "transaction.remove.expired.transaction.cleanup.interval.ms": (
        "How often expired transactional ids are looked for and removed."
    ),
    "transaction.state.log.load.buffer.size": "Bytes read at a time while the coordinator loads transactions.",
    "transaction.state.log.min.isr": "min.insync.replicas of the transaction state topic.",
    "transaction.state.log.num.partitions": "Partitions of __transaction_state; not to be changed once it exists.",
    "transaction.state.log.replication.factor": (
        "Replicas of __transaction_state; its creation waits until there are as many brokers."
    ),
    "transaction.state.log.segment.bytes": "Segment size of __transaction_state.",
    "transaction.two.phase.commit.enable": (
        "Whether producers may leave the outcome of transactions to an outside coordinator."
    ),
    "transactional.id.expiration.ms": "A transactional id without transactions is forgotten after this time.",
}
