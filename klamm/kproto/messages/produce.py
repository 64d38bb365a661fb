"""Produce (API 0): append record batches to partitions."""

from __future__ import annotations

from klamm.kproto.schema import MISSING, ZERO_UUID, Message, RecordBytes, Struct, int16, int32, int64, string, uuid, v


class ProduceRequest(Message, key=0, versions="3-13", flexible="9+"):
    """Append record batches, one batch a partition, to the leaders of those partitions.

    `acks`: 0 (no response is sent), 1 (the leader has it) or -1 (all in-sync replicas have it); `timeout_ms` bounds the
    wait for them. `transactional_id` is null outside a transaction. `records` is one v2 batch, whose base offset the
    leader assigns.

    v3 brought transactions and v2 batches (KIP-98), v7 zstd (KIP-110), v9 is flexible, v11 may be answered with
    TRANSACTION_ABORTABLE, v12 adds the partitions to the transaction by itself (KIP-890), v13 goes by topic id instead
    of name (KIP-516).
    """

    transactional_id: string | None = None
    acks: int16
    timeout_ms: int32
    topic_data: list[TopicProduceData]

    class TopicProduceData(Struct):
        name: string = v("0-12", default="", ignorable=True)
        topic_id: uuid = v("13+", default=ZERO_UUID, ignorable=True)
        partition_data: list[PartitionProduceData]

        class PartitionProduceData(Struct):
            index: int32
            records: RecordBytes | None


class ProduceResponse(Message, key=0, versions="3-13", flexible="9+"):
    """Where each batch begins in its log, or why it was refused.

    `base_offset` is -1 with an error. `log_append_time_ms` is -1 unless the topic stamps records itself.
    `log_start_offset` (v5) tells a lost record from a deleted one. v8 names the records that spoil a batch (KIP-467);
    v10 tells the current leader and its address when the client asked the wrong node (KIP-951). `throttle_time_ms` is
    what the client should pause for its quota (KIP-219).
    """

    responses: list[TopicProduceResponse]
    throttle_time_ms: int32 = v(default=0, ignorable=True)
    node_endpoints: list[NodeEndpoint] = v("10+", default=[], tag=0)

    class TopicProduceResponse(Struct):
        name: string = v("0-12", default="", ignorable=True)
        topic_id: uuid = v("13+", default=ZERO_UUID, ignorable=True)
        partition_responses: list[PartitionProduceResponse]

        class PartitionProduceResponse(Struct):
            index: int32
            error_code: int16
            base_offset: int64
            log_append_time_ms: int64 = v(default=-1, ignorable=True)
            log_start_offset: int64 = v("5+", default=-1, ignorable=True)
            record_errors: list[BatchIndexAndErrorMessage] = v("8+", default=[], ignorable=True)
            error_message: string | None = v("8+", default=None, ignorable=True)
            current_leader: LeaderIdAndEpoch = v("10+", default=MISSING, tag=0)

            class BatchIndexAndErrorMessage(Struct):
                batch_index: int32
                batch_index_error_message: string | None = None

            class LeaderIdAndEpoch(Struct):
                """Left at -1, hence not sent, unless the error is NOT_LEADER_OR_FOLLOWER or FENCED_LEADER_EPOCH."""

                leader_id: int32 = -1
                leader_epoch: int32 = -1

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: int32
        rack: string | None = None
