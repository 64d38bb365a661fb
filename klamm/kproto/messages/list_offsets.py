"""ListOffsets: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, v


class ListOffsetsRequest(Message, key=2, versions="1-11", flexible="6+"):
    replica_id: int32
    isolation_level: int8 = v("2+", default=0)
    topics: list[ListOffsetsTopic]
    timeout_ms: int32 = v("10+", default=0, ignorable=True)

    class ListOffsetsTopic(Struct):
        name: string
        partitions: list[ListOffsetsPartition]

        class ListOffsetsPartition(Struct):
            partition_index: int32
            current_leader_epoch: int32 = v("4+", default=-1, ignorable=True)
            timestamp: int64


class ListOffsetsResponse(Message, key=2, versions="1-11", flexible="6+"):
    throttle_time_ms: int32 = v("2+", default=0, ignorable=True)
    topics: list[ListOffsetsTopicResponse]

    class ListOffsetsTopicResponse(Struct):
        name: string
        partitions: list[ListOffsetsPartitionResponse]

        class ListOffsetsPartitionResponse(Struct):
            partition_index: int32
            error_code: int16
            timestamp: int64 = -1
            offset: int64 = -1
            leader_epoch: int32 = v("4+", default=-1)
