"""Records of __consumer_offsets for classic and consumer groups: keys and values, in pairs of one record type.

In the log a key begins with its int16 record type, a value with its int16 version; a null value deletes the key.
"""

from __future__ import annotations

from klamm.kproto.schema import MISSING, ZERO_UUID, Message, Struct, int8, int32, int64, string, uuid, v


class LegacyOffsetCommitKey(Message, key=0, versions="0"):
    """Record type 0: read as OffsetCommitKey is; Kafka has not written it for long."""

    group: string
    topic: string
    partition: int32


class LegacyOffsetCommitValue(Message, key=0, versions="0"):
    """A committed offset in the form of record type 0."""

    offset: int64
    metadata: string
    commit_timestamp: int64


class OffsetCommitKey(Message, key=1, versions="0"):
    """Record type 1: a committed offset of a group and partition."""

    group: string
    topic: string
    partition: int32


class OffsetCommitValue(Message, key=1, versions="0-4", flexible="4+"):
    """The offset, the client's string and the time of the commit in ms since 1970.

    Kafka writes version 1 if the offset has an expiry time of its own, else 4, which has the topic id.
    """

    offset: int64
    leader_epoch: int32 = v("3+", default=-1, ignorable=True)
    metadata: string
    commit_timestamp: int64
    expire_timestamp: int64 = v("1", default=-1, ignorable=True)
    topic_id: uuid = v("4+", default=ZERO_UUID, tag=0, ignorable=True)


class GroupMetadataKey(Message, key=2, versions="0"):
    """Record type 2: a classic group."""

    group: string


class MemberMetadata(Struct):
    member_id: string
    group_instance_id: string | None = v("3+", default=None, ignorable=True)
    client_id: string
    client_host: string
    rebalance_timeout: int32 = v("1+", default=-1, ignorable=True)
    session_timeout: int32
    subscription: bytes
    assignment: bytes


class GroupMetadataValue(Message, key=2, versions="0-4", flexible="4+"):
    """A classic group's generation: protocol, leader, and members with their subscriptions and assignments.

    Timeouts in ms. Kafka writes version 3, though 4 exists.
    """

    protocol_type: string
    generation: int32
    protocol: string | None
    leader: string | None
    current_state_timestamp: int64 = v("2+", default=-1, ignorable=True)
    members: list[MemberMetadata]


class ConsumerGroupMetadataKey(Message, key=3, versions="0"):
    """Record type 3: a consumer group (KIP-848)."""

    group_id: string


class ConsumerGroupMetadataValue(Message, key=3, versions="0", flexible="0+"):
    """The group's epoch, and a hash of the topics that it reads, by which changes of theirs are seen."""

    epoch: int32
    metadata_hash: int64 = v(default=0, tag=0)


class ConsumerGroupPartitionMetadataKey(Message, key=4, versions="0"):
    """Record type 4: the topics of a consumer group; superseded by the hash in ConsumerGroupMetadataValue."""

    group_id: string


class ConsumerGroupPartitionMetadataValue(Message, key=4, versions="0", flexible="0+"):
    """Number of partitions and racks of each topic."""

    topics: list[TopicMetadata]

    class TopicMetadata(Struct):
        topic_id: uuid
        topic_name: string
        num_partitions: int32
        partition_metadata: list[PartitionMetadata]

        class PartitionMetadata(Struct):
            partition: int32
            racks: list[string]


class ConsumerGroupMemberMetadataKey(Message, key=5, versions="0"):
    """Record type 5: a member of a consumer group."""

    group_id: string
    member_id: string


class ConsumerGroupMemberMetadataValue(Message, key=5, versions="0", flexible="0+"):
    """What the member has told of itself; timeouts in ms.

    `classic_member_metadata` is set for a member that speaks the classic protocol in a consumer group, else null.
    """

    instance_id: string | None
    rack_id: string | None
    client_id: string
    client_host: string
    subscribed_topic_names: list[string]
    subscribed_topic_regex: string | None
    rebalance_timeout_ms: int32 = -1
    server_assignor: string | None
    classic_member_metadata: ClassicMemberMetadata | None = v(default=MISSING, tag=0)

    class ClassicMemberMetadata(Struct):
        session_timeout_ms: int32
        supported_protocols: list[ClassicProtocol]

        class ClassicProtocol(Struct):
            name: string
            metadata: bytes


class ConsumerGroupTargetAssignmentMetadataKey(Message, key=6, versions="0"):
    """Record type 6: the target assignment of a consumer group."""

    group_id: string


class ConsumerGroupTargetAssignmentMetadataValue(Message, key=6, versions="0", flexible="0+"):
    """The group epoch for which the target was computed."""

    assignment_epoch: int32
    assignment_timestamp: int64 = v(default=0, tag=0, ignorable=True)


class ConsumerGroupTargetAssignmentMemberKey(Message, key=7, versions="0"):
    """Record type 7: a member's part in the target assignment."""

    group_id: string
    member_id: string


class ConsumerGroupTargetAssignmentMemberValue(Message, key=7, versions="0", flexible="0+"):
    """The partitions that the member is to own in the end."""

    topic_partitions: list[TopicPartition]

    class TopicPartition(Struct):
        topic_id: uuid
        partitions: list[int32]


class ConsumerGroupCurrentMemberAssignmentKey(Message, key=8, versions="0"):
    """Record type 8: what a member of a consumer group owns now."""

    group_id: string
    member_id: string


class TopicPartitions(Struct):
    topic_id: uuid
    partitions: list[int32]
    assignment_epochs: list[int32] | None = v(default=[], tag=0)


class ConsumerGroupCurrentMemberAssignmentValue(Message, key=8, versions="0", flexible="0+"):
    """The member's epoch and partitions, on its way to the target.

    `state`: 0 stable, 1 must revoke partitions first, 2 waits for others to release theirs.
    """

    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    assigned_partitions: list[TopicPartitions]
    partitions_pending_revocation: list[TopicPartitions]


class ConsumerGroupRegularExpressionKey(Message, key=16, versions="0"):
    """Record type 16: a regular expression that members of a consumer group subscribe by."""

    group_id: string
    regular_expression: string


class ConsumerGroupRegularExpressionValue(Message, key=16, versions="0", flexible="0+"):
    """The topics that it matched, at which version of the metadata and when, in ms since 1970."""

    topics: list[string]
    version: int64
    timestamp: int64
