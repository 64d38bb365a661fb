"""OffsetFetch: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uuid, v


class OffsetFetchRequest(Message, key=9, versions="1-10", flexible="6+"):
    group_id: string = v("0-7", default="")
    topics: list[OffsetFetchRequestTopic] | None = v("0-7", default=[], nullable="2-7")
    groups: list[OffsetFetchRequestGroup] = v("8+", default=[])
    require_stable: bool = v("7+", default=False)

    class OffsetFetchRequestTopic(Struct):
        name: string
        partition_indexes: list[int32]

    class OffsetFetchRequestGroup(Struct):
        group_id: string
        member_id: string | None = v("9+", default=None, ignorable=True)
        member_epoch: int32 = v("9+", default=-1, ignorable=True)
        topics: list[OffsetFetchRequestTopics] | None

        class OffsetFetchRequestTopics(Struct):
            name: string = v("8-9", default="", ignorable=True)
            topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
            partition_indexes: list[int32]


class OffsetFetchResponse(Message, key=9, versions="1-10", flexible="6+"):
    throttle_time_ms: int32 = v("3+", default=0, ignorable=True)
    topics: list[OffsetFetchResponseTopic] = v("0-7", default=[])
    error_code: int16 = v("2-7", default=0, ignorable=True)
    groups: list[OffsetFetchResponseGroup] = v("8+", default=[])

    class OffsetFetchResponseTopic(Struct):
        name: string
        partitions: list[OffsetFetchResponsePartition]

        class OffsetFetchResponsePartition(Struct):
            partition_index: int32
            committed_offset: int64
            committed_leader_epoch: int32 = v("5-7", default=-1, ignorable=True)
            metadata: string | None
            error_code: int16

    class OffsetFetchResponseGroup(Struct):
        group_id: string
        topics: list[OffsetFetchResponseTopics]
        error_code: int16 = 0

        class OffsetFetchResponseTopics(Struct):
            name: string = v("8-9", default="", ignorable=True)
            topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
            partitions: list[OffsetFetchResponsePartitions]

            class OffsetFetchResponsePartitions(Struct):
                partition_index: int32
                committed_offset: int64
                committed_leader_epoch: int32 = v(default=-1, ignorable=True)
                metadata: string | None
                error_code: int16
