"""AddPartitionsToTxn (API 24): partitions that a transaction writes to (KIP-98)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class AddPartitionsToTxnTopic(Struct):
    name: string
    partitions: list[int32]


class AddPartitionsToTxnRequest(Message, key=24, versions="0-5", flexible="3+"):
    """Tell the coordinator of partitions before the first write to them.

    Clients use versions up to 3, whose fields begin with `v3_and_below_`; brokers send the others, for many
    transactions at once. `verify_only` asks whether a partition is in the transaction and adds nothing (v4, KIP-890).
    """

    transactions: list[AddPartitionsToTxnTransaction] = v("4+", default=[])
    v3_and_below_transactional_id: string = v("0-3", default="")
    v3_and_below_producer_id: int64 = v("0-3", default=0)
    v3_and_below_producer_epoch: int16 = v("0-3", default=0)
    v3_and_below_topics: list[AddPartitionsToTxnTopic] = v("0-3", default=[])

    class AddPartitionsToTxnTransaction(Struct):
        transactional_id: string
        producer_id: int64
        producer_epoch: int16
        verify_only: bool = False
        topics: list[AddPartitionsToTxnTopic]


class AddPartitionsToTxnPartitionResult(Struct):
    partition_index: int32
    partition_error_code: int16


class AddPartitionsToTxnTopicResult(Struct):
    name: string
    results_by_partition: list[AddPartitionsToTxnPartitionResult]


class AddPartitionsToTxnResponse(Message, key=24, versions="0-5", flexible="3+"):
    """An error for each partition; `error_code` (v4) for the request as a whole."""

    throttle_time_ms: int32
    error_code: int16 = v("4+", default=0, ignorable=True)
    results_by_transaction: list[AddPartitionsToTxnResult] = v("4+", default=[])
    results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = v("0-3", default=[])

    class AddPartitionsToTxnResult(Struct):
        transactional_id: string
        topic_results: list[AddPartitionsToTxnTopicResult]
