"""DescribeTransactions (API 65): the state of transactions (KIP-664)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string


class DescribeTransactionsRequest(Message, key=65, versions="0", flexible="0+"):
    """Transactional ids, which the broker must coordinate."""

    transactional_ids: list[string]


class DescribeTransactionsResponse(Message, key=65, versions="0", flexible="0+"):
    """State, producer and partitions of each.

    `transaction_state`: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead or
    PrepareEpochFence. Times are in ms since 1970; the start is -1 outside a transaction.
    """

    throttle_time_ms: int32
    transaction_states: list[TransactionState]

    class TransactionState(Struct):
        error_code: int16
        transactional_id: string
        transaction_state: string
        transaction_timeout_ms: int32
        transaction_start_time_ms: int64
        producer_id: int64
        producer_epoch: int16
        topics: list[TopicData]

        class TopicData(Struct):
            topic: string
            partitions: list[int32]
