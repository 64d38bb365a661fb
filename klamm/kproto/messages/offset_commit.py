"""OffsetCommit: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uuid, v


class OffsetCommitRequest(Message, key=8, versions="2-10", flexible="8+"):
    group_id: string
    generation_id_or_member_epoch: int32 = v(default=-1, ignorable=True)
    member_id: string = v(default="", ignorable=True)
    group_instance_id: string | None = v("7+", default=None)
    retention_time_ms: int64 = v("2-4", default=-1, ignorable=True)
    topics: list[OffsetCommitRequestTopic]

    class OffsetCommitRequestTopic(Struct):
        name: string = v("0-9", default="", ignorable=True)
        topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
        partitions: list[OffsetCommitRequestPartition]

        class OffsetCommitRequestPartition(Struct):
            partition_index: int32
            committed_offset: int64
            committed_leader_epoch: int32 = v("6+", default=-1, ignorable=True)
            committed_metadata: string | None


class OffsetCommitResponse(Message, key=8, versions="2-10", flexible="8+"):
    throttle_time_ms: int32 = v("3+", default=0, ignorable=True)
    topics: list[OffsetCommitResponseTopic]

    class OffsetCommitResponseTopic(Struct):
        name: string = v("0-9", default="", ignorable=True)
        topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
        partitions: list[OffsetCommitResponsePartition]

        class OffsetCommitResponsePartition(Struct):
            partition_index: int32
            error_code: int16
