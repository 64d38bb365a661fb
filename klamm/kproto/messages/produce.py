"""Produce: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import MISSING, ZERO_UUID, Message, RecordBytes, Struct, int16, int32, int64, string, uuid, v


class ProduceRequest(Message, key=0, versions="3-13", flexible="9+"):
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
                leader_id: int32 = -1
                leader_epoch: int32 = -1

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: int32
        rack: string | None = None
