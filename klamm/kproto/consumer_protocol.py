"""What members of classic groups tell each other through the coordinator, which hands it on unread.

On the wire an int16 version stands in front; the bytes are `metadata` of JoinGroup and `assignment` of SyncGroup.
"""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int32, int64, string, uuid, v


class ConsumerProtocolAssignment(Message, versions="0-3"):
    """The partitions that the group's leader gives a consumer; `user_data` is its assignor's own."""

    assigned_partitions: list[TopicPartition]
    user_data: bytes | None = None

    class TopicPartition(Struct):
        topic: string
        partitions: list[int32]


class ConsumerProtocolSubscription(Message, versions="0-3"):
    """What a consumer wants to read.

    v1 has the partitions that it owns, for cooperative rebalances (KIP-429), v2 in which generation it got them, -1 if
    unknown, v3 its rack, for rack-aware assignment (KIP-881).
    """

    topics: list[string]
    user_data: bytes | None = None
    owned_partitions: list[TopicPartition] = v("1+", default=[], ignorable=True)
    generation_id: int32 = v("2+", default=-1, ignorable=True)
    rack_id: string | None = v("3+", default=None, ignorable=True)

    class TopicPartition(Struct):
        topic: string
        partitions: list[int32]


class TaskId(Struct):
    topic_group_id: int32 = v("1-6", default=0)
    partition: int32 = v("1-6", default=0)


class PartitionToOffsetSum(Struct):
    partition: int32 = v("7-9", default=0)
    offset_sum: int64 = v("7-9", default=0)


class TaskOffsetSum(Struct):
    topic_group_id: int32 = v("7+", default=0)
    partition: int32 = v("10+", default=0)
    offset_sum: int64 = v("10+", default=0)
    named_topology: string | None = v("10+", default="")
    partition_to_offset_sum: list[PartitionToOffsetSum] = v("7-9", default=[])


class ClientTag(Struct):
    key: bytes = v("11+", default=b"")
    value: bytes = v("11+", default=b"")


class SubscriptionInfoData(Message, versions="1-11"):
    """What Kafka Streams puts into `user_data` of a subscription. Its version is a field of the body."""

    version: int32
    latest_supported_version: int32 = v("3+", default=-1)
    process_id: uuid
    prev_tasks: list[TaskId] = v("1-6", default=[])
    standby_tasks: list[TaskId] = v("1-6", default=[])
    user_end_point: bytes = v("2+", default=b"")
    task_offset_sums: list[TaskOffsetSum] = v("7+", default=[])
    unique_field: int8 = v("8+", default=0)
    error_code: int32 = v("9+", default=0)
    client_tags: list[ClientTag] = v("11+", default=[])
