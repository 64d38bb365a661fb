"""EndTxn (API 26): commit or abort a transaction (KIP-98)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64, string, v


class EndTxnRequest(Message, key=26, versions="0-5", flexible="3+"):
    """End the open transaction: `committed` true commits, false aborts."""

    transactional_id: string
    producer_id: int64
    producer_epoch: int16
    committed: bool


class EndTxnResponse(Message, key=26, versions="0-5", flexible="3+"):
    """The outcome is decided and logged; the markers in the partitions follow.

    v5 hands out the producer id and epoch for the next transaction, because every transaction raises the epoch
    (KIP-890); -1 with an error.
    """

    throttle_time_ms: int32
    error_code: int16
    producer_id: int64 = v("5+", default=-1, ignorable=True)
    producer_epoch: int16 = v("5+", default=-1, ignorable=True)
