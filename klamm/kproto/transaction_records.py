"""transaction_records"""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, v


class TransactionLogKey(Message, key=0, versions="0"):
    transactional_id: string


class TransactionLogValue(Message, key=0, versions="0-1", flexible="1+"):
    producer_id: int64
    previous_producer_id: int64 = v("1+", default=-1, tag=0)
    next_producer_id: int64 = v("1+", default=-1, tag=1)
    producer_epoch: int16
    next_producer_epoch: int16 = v("1+", default=-1, tag=3)
    transaction_timeout_ms: int32
    transaction_status: int8
    transaction_partitions: list[PartitionsSchema] | None
    transaction_last_update_timestamp_ms: int64
    transaction_start_timestamp_ms: int64
    client_transaction_version: int16 = v("1+", default=0, tag=2)

    class PartitionsSchema(Struct):
        topic: string
        partition_ids: list[int32]
