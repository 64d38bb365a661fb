"""AlterShareGroupOffsets (API 91): move where an empty share group begins to deliver (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, uuid


class AlterShareGroupOffsetsRequest(Message, key=91, versions="0", flexible="0+"):
    """New start offsets."""

    group_id: string
    topics: list[AlterShareGroupOffsetsRequestTopic]

    class AlterShareGroupOffsetsRequestTopic(Struct):
        topic_name: string
        partitions: list[AlterShareGroupOffsetsRequestPartition]

        class AlterShareGroupOffsetsRequestPartition(Struct):
            partition_index: int32
            start_offset: int64


class AlterShareGroupOffsetsResponse(Message, key=91, versions="0", flexible="0+"):
    """An error for each partition."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    responses: list[AlterShareGroupOffsetsResponseTopic]

    class AlterShareGroupOffsetsResponseTopic(Struct):
        topic_name: string
        topic_id: uuid
        partitions: list[AlterShareGroupOffsetsResponsePartition]

        class AlterShareGroupOffsetsResponsePartition(Struct):
            partition_index: int32
            error_code: int16
            error_message: string | None = None
