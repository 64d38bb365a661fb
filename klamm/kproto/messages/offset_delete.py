"""OffsetDelete (API 47): delete committed offsets of a group (KIP-496)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class OffsetDeleteRequest(Message, key=47, versions="0"):
    """Topics that the group does not subscribe to now."""

    group_id: string
    topics: list[OffsetDeleteRequestTopic]

    class OffsetDeleteRequestTopic(Struct):
        name: string
        partitions: list[OffsetDeleteRequestPartition]

        class OffsetDeleteRequestPartition(Struct):
            partition_index: int32


class OffsetDeleteResponse(Message, key=47, versions="0"):
    """An error for each partition: GROUP_SUBSCRIBED_TO_TOPIC if the group still reads the topic."""

    error_code: int16
    throttle_time_ms: int32 = v(default=0, ignorable=True)
    topics: list[OffsetDeleteResponseTopic]

    class OffsetDeleteResponseTopic(Struct):
        name: string
        partitions: list[OffsetDeleteResponsePartition]

        class OffsetDeleteResponsePartition(Struct):
            partition_index: int32
            error_code: int16
