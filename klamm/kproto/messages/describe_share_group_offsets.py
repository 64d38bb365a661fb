"""DescribeShareGroupOffsets (API 90): where share groups begin to deliver (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, uuid, v


class DescribeShareGroupOffsetsRequest(Message, key=90, versions="0-1", flexible="0+"):
    """`topics` null asks for all of a group."""

    groups: list[DescribeShareGroupOffsetsRequestGroup]

    class DescribeShareGroupOffsetsRequestGroup(Struct):
        group_id: string
        topics: list[DescribeShareGroupOffsetsRequestTopic] | None

        class DescribeShareGroupOffsetsRequestTopic(Struct):
            topic_name: string
            partitions: list[int32]


class DescribeShareGroupOffsetsResponse(Message, key=90, versions="0-1", flexible="0+"):
    """Start offsets, -1 if there is none; v1 how many records are to be delivered yet, -1 if unknown (KIP-1226)."""

    throttle_time_ms: int32
    groups: list[DescribeShareGroupOffsetsResponseGroup]

    class DescribeShareGroupOffsetsResponseGroup(Struct):
        group_id: string
        topics: list[DescribeShareGroupOffsetsResponseTopic]
        error_code: int16
        error_message: string | None = None

        class DescribeShareGroupOffsetsResponseTopic(Struct):
            topic_name: string
            topic_id: uuid
            partitions: list[DescribeShareGroupOffsetsResponsePartition]

            class DescribeShareGroupOffsetsResponsePartition(Struct):
                partition_index: int32
                start_offset: int64
                leader_epoch: int32
                lag: int64 = v("1+", default=-1, ignorable=True)
                error_code: int16
                error_message: string | None = None
