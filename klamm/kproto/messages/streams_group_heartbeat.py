"""StreamsGroupHeartbeat (API 88): join, stay in and leave a streams group, whose broker assigns tasks (KIP-1071)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, uint16


class KeyValue(Struct):
    key: string
    value: string


class TopicInfo(Struct):
    name: string
    partitions: int32
    replication_factor: int16
    topic_configs: list[KeyValue]


class Endpoint(Struct):
    host: string
    port: uint16


class TaskOffset(Struct):
    subtopology_id: string
    partition: int32
    offset: int64


class TaskIds(Struct):
    subtopology_id: string
    partitions: list[int32]


class StreamsGroupHeartbeatRequest(Message, key=88, versions="0", flexible="0+"):
    """The one request of a member's life. What has not changed since the last one may be null, or -1.

    `member_epoch`: 0 joins, -1 leaves, -2 leaves for a while as a static member. `topology` describes the application's
    subtopologies; a task is a subtopology and a partition.
    """

    group_id: string
    member_id: string
    member_epoch: int32
    endpoint_information_epoch: int32
    instance_id: string | None = None
    rack_id: string | None = None
    rebalance_timeout_ms: int32 = -1
    topology: Topology | None = None
    active_tasks: list[TaskIds] | None = None
    standby_tasks: list[TaskIds] | None = None
    warmup_tasks: list[TaskIds] | None = None
    process_id: string | None = None
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue] | None = None
    task_offsets: list[TaskOffset] | None = None
    task_end_offsets: list[TaskOffset] | None = None
    shutdown_application: bool = False

    class Topology(Struct):
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


class Status(Struct):
    status_code: int8
    status_detail: string


class TopicPartition(Struct):
    topic: string
    partitions: list[int32]


class StreamsGroupHeartbeatResponse(Message, key=88, versions="0", flexible="0+"):
    """The member's epoch and, when they changed, its active, standby and warm-up tasks.

    `status` says what keeps the group from working: 0 stale topology, 1 source topics missing, 2 wrongly partitioned
    topics, 3 internal topics missing, 4 shut the application down, 5 the assignment waits.
    """

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    member_id: string
    member_epoch: int32
    heartbeat_interval_ms: int32
    acceptable_recovery_lag: int32
    task_offset_interval_ms: int32
    status: list[Status] | None
    active_tasks: list[TaskIds] | None = None
    standby_tasks: list[TaskIds] | None = None
    warmup_tasks: list[TaskIds] | None = None
    endpoint_information_epoch: int32
    partitions_by_user_endpoint: list[EndpointToPartitions] | None = None

    class EndpointToPartitions(Struct):
        user_endpoint: Endpoint
        active_partitions: list[TopicPartition]
        standby_partitions: list[TopicPartition]
