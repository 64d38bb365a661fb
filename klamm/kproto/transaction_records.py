"""Records of __transaction_state: one key and value per transactional id.

In the log a key begins with its int16 record type, a value with its int16 version; a null value deletes the key.
"""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, v


class TransactionLogKey(Message, key=0, versions="0"):
    """Record type 0, the only one: a transactional id."""

    transactional_id: string


class TransactionLogValue(Message, key=0, versions="0-1", flexible="1+"):
    """The state of a transactional id. Kafka writes version 1 with transaction.version 1 or 2 (KIP-890), else 0.

    `transaction_status`: 0 empty, 1 ongoing, 2 prepare commit, 3 prepare abort, 4 complete commit, 5 complete abort, 6
    dead, 7 prepare epoch fence. `transaction_partitions` is null without any. Times in ms since 1970, -1 for none.
    """

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
