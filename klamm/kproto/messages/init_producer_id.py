"""InitProducerId (API 22): an id for an idempotent or transactional producer."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64, string, v


class InitProducerIdRequest(Message, key=22, versions="0-6", flexible="2+"):
    """Ask for a producer id, or for a higher epoch of the one that a `transactional_id` has.

    `transactional_id` null is a producer that is only idempotent: any broker serves it. A transactional one asks its
    coordinator, which fences earlier producers and aborts what they left open after `transaction_timeout_ms`. v3 may
    bring the id and epoch that the producer has, else -1 (KIP-360). v6, still unstable, has two-phase commit (KIP-939).
    """

    transactional_id: string | None
    transaction_timeout_ms: int32
    producer_id: int64 = v("3+", default=-1)
    producer_epoch: int16 = v("3+", default=-1)
    enable2_pc: bool = v("6+", default=False)
    keep_prepared_txn: bool = v("6+", default=False)


class InitProducerIdResponse(Message, key=22, versions="0-6", flexible="2+"):
    """Producer id and epoch, -1 with an error. CONCURRENT_TRANSACTIONS: the last one is still ending, try again.

    v6 tells of the prepared transaction that was kept (KIP-939).
    """

    throttle_time_ms: int32 = v(default=0, ignorable=True)
    error_code: int16
    producer_id: int64 = -1
    producer_epoch: int16
    ongoing_txn_producer_id: int64 = v("6+", default=-1)
    ongoing_txn_producer_epoch: int16 = v("6+", default=-1)
