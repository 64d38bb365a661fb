"""OffsetForLeaderEpoch: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class OffsetForLeaderEpochRequest(Message, key=23, versions="2-4", flexible="4+"):
    replica_id: int32 = v("3+", default=-2, ignorable=True)
    topics: list[OffsetForLeaderTopic]

    class OffsetForLeaderTopic(Struct):
        topic: string
        partitions: list[OffsetForLeaderPartition]

        class OffsetForLeaderPartition(Struct):
            partition: int32
            current_leader_epoch: int32 = v(default=-1, ignorable=True)
            leader_epoch: int32


class OffsetForLeaderEpochResponse(Message, key=23, versions="2-4", flexible="4+"):
    throttle_time_ms: int32 = v(default=0, ignorable=True)
    topics: list[OffsetForLeaderTopicResult]

    class OffsetForLeaderTopicResult(Struct):
        topic: string
        partitions: list[EpochEndOffset]

        class EpochEndOffset(Struct):
            error_code: int16
            partition: int32
            leader_epoch: int32 = v(default=-1, ignorable=True)
            end_offset: int64 = -1
