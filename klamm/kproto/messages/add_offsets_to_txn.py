"""AddOffsetsToTxn (API 25): a transaction will commit offsets of a group (KIP-98)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64, string


class AddOffsetsToTxnRequest(Message, key=25, versions="0-4", flexible="3+"):
    """Add the partition of __consumer_offsets that holds the group to the transaction."""

    transactional_id: string
    producer_id: int64
    producer_epoch: int16
    group_id: string


class AddOffsetsToTxnResponse(Message, key=25, versions="0-4", flexible="3+"):
    """OK, or why the transaction cannot go on. v4 knows TRANSACTION_ABORTABLE (KIP-890)."""

    throttle_time_ms: int32
    error_code: int16
