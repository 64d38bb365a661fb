"""Records of __consumer_offsets for streams groups (KIP-1071), in the form that `group_records.py` describes."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, uint16, v


class StreamsGroupMetadataKey(Message, key=17, versions="0"):
    """Record type 17: a streams group."""

    group_id: string


class LastAssignmentConfig(Struct):
    key: string
    value: string


class StreamsGroupMetadataValue(Message, key=17, versions="0", flexible="0+"):
    """The group's epoch, a hash of its topics, and the topology for which they were found good; -1 for none."""

    epoch: int32
    metadata_hash: int64
    validated_topology_epoch: int32 = v(default=-1, tag=0)
    last_assignment_configs: list[LastAssignmentConfig] | None = v(default=[], tag=1)


class StreamsGroupMemberMetadataKey(Message, key=19, versions="0"):
    """Record type 19: a member of a streams group."""

    group_id: string
    member_id: string


class Endpoint(Struct):
    host: string
    port: uint16


class KeyValue(Struct):
    key: string
    value: string


class StreamsGroupMemberMetadataValue(Message, key=19, versions="0", flexible="0+"):
    """What the member has told of itself; timeouts in ms."""

    instance_id: string | None
    rack_id: string | None
    client_id: string
    client_host: string
    rebalance_timeout_ms: int32 = -1
    topology_epoch: int32
    process_id: string
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue]


class StreamsGroupTargetAssignmentMetadataKey(Message, key=20, versions="0"):
    """Record type 20: the target assignment of a streams group."""

    group_id: string


class StreamsGroupTargetAssignmentMetadataValue(Message, key=20, versions="0", flexible="0+"):
    """The group epoch for which the target was computed."""

    assignment_epoch: int32
    assignment_timestamp: int64 = v(default=0, tag=0, ignorable=True)


class StreamsGroupTargetAssignmentMemberKey(Message, key=21, versions="0"):
    """Record type 21: a member's part in the target assignment."""

    group_id: string
    member_id: string


class TaskIds(Struct):
    subtopology_id: string
    partitions: list[int32]


class StreamsGroupTargetAssignmentMemberValue(Message, key=21, versions="0", flexible="0+"):
    """The tasks that the member is to run in the end."""

    active_tasks: list[TaskIds]
    standby_tasks: list[TaskIds]
    warmup_tasks: list[TaskIds]


class StreamsGroupCurrentMemberAssignmentKey(Message, key=22, versions="0"):
    """Record type 22: the tasks that a member of a streams group runs now."""

    group_id: string
    member_id: string


class StreamsGroupCurrentMemberAssignmentValue(Message, key=22, versions="0", flexible="0+"):
    """The member's epoch and tasks, on its way to the target.

    `state`: 1 stable, 2 must revoke tasks first, 3 waits for others to release theirs.
    """

    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    active_tasks: list[TaskIds]
    standby_tasks: list[TaskIds]
    warmup_tasks: list[TaskIds]
    active_tasks_pending_revocation: list[TaskIds]
    standby_tasks_pending_revocation: list[TaskIds]
    warmup_tasks_pending_revocation: list[TaskIds]

    class TaskIds(Struct):
        subtopology_id: string
        partitions: list[int32]
        assignment_epochs: list[int32] | None = v(default=[], tag=0)


class StreamsGroupTopologyKey(Message, key=23, versions="0"):
    """Record type 23: the topology of a streams group."""

    group_id: string


class TopicConfig(Struct):
    key: string
    value: string


class TopicInfo(Struct):
    name: string
    partitions: int32
    replication_factor: int16
    topic_configs: list[TopicConfig]


class StreamsGroupTopologyValue(Message, key=23, versions="0", flexible="0+"):
    """The application's subtopologies and the topics between them."""

    epoch: int32
    subtopologies: list[Subtopology]

    class Subtopology(Struct):
        subtopology_id: string
        source_topics: list[string]
        source_topic_regex: list[string]
        state_changelog_topics: list[TopicInfo]
        repartition_sink_topics: list[string]
        repartition_source_topics: list[TopicInfo]
        copartition_groups: list[CopartitionGroup]

        class CopartitionGroup(Struct):
            source_topics: list[int16]
            source_topic_regex: list[int16]
            repartition_source_topics: list[int16]
