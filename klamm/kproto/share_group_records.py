"""Records of __consumer_offsets for share groups (KIP-932), in the form that `group_records.py` describes."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int32, int64, string, uuid, v


class ShareGroupMemberMetadataKey(Message, key=10, versions="0"):
    """Record type 10: a member of a share group."""

    group_id: string
    member_id: string


class ShareGroupMemberMetadataValue(Message, key=10, versions="0", flexible="0+"):
    """What the member has told of itself."""

    rack_id: string | None
    client_id: string
    client_host: string
    subscribed_topic_names: list[string]


class ShareGroupMetadataKey(Message, key=11, versions="0"):
    """Record type 11: a share group."""

    group_id: string


class ShareGroupMetadataValue(Message, key=11, versions="0", flexible="0+"):
    """The group's epoch, and a hash of the topics that it reads."""

    epoch: int32
    metadata_hash: int64


class ShareGroupTargetAssignmentMetadataKey(Message, key=12, versions="0"):
    """Record type 12: the target assignment of a share group."""

    group_id: string


class ShareGroupTargetAssignmentMetadataValue(Message, key=12, versions="0", flexible="0+"):
    """The group epoch for which the target was computed."""

    assignment_epoch: int32
    assignment_timestamp: int64 = v(default=0, tag=0, ignorable=True)


class ShareGroupTargetAssignmentMemberKey(Message, key=13, versions="0"):
    """Record type 13: a member's part in the target assignment."""

    group_id: string
    member_id: string


class ShareGroupTargetAssignmentMemberValue(Message, key=13, versions="0", flexible="0+"):
    """The partitions that the member is to have."""

    topic_partitions: list[TopicPartition]

    class TopicPartition(Struct):
        topic_id: uuid
        partitions: list[int32]


class ShareGroupCurrentMemberAssignmentKey(Message, key=14, versions="0"):
    """Record type 14: what a member of a share group has now."""

    group_id: string
    member_id: string


class TopicPartitions(Struct):
    topic_id: uuid
    partitions: list[int32]


class ShareGroupCurrentMemberAssignmentValue(Message, key=14, versions="0", flexible="0+"):
    """The member's epoch and partitions."""

    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    assigned_partitions: list[TopicPartitions]


class ShareGroupStatePartitionMetadataKey(Message, key=15, versions="0"):
    """Record type 15: which share partitions have state at the share coordinator."""

    group_id: string


class TopicPartitionsInfo(Struct):
    topic_id: uuid
    topic_name: string
    partitions: list[int32]


class TopicInfo(Struct):
    topic_id: uuid
    topic_name: string


class ShareGroupStatePartitionMetadataValue(Message, key=15, versions="0", flexible="0+"):
    """Partitions whose state is being made, is there, or is being deleted."""

    initializing_topics: list[TopicPartitionsInfo]
    initialized_topics: list[TopicPartitionsInfo]
    deleting_topics: list[TopicInfo]
