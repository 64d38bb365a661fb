"""ConsumerGroupHeartbeat (API 68): join, stay in and leave a consumer group; the broker assigns (KIP-848)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uuid, v


class ConsumerGroupHeartbeatRequest(Message, key=68, versions="0-1", flexible="0+"):
    """The one request of a member's life. What has not changed since the last one may be null, or -1.

    `member_epoch`: 0 joins, -1 leaves, -2 leaves for a while as a static member, else the epoch of the last response.
    `topic_partitions` are those that the member owns now. v1 has a regular expression to subscribe by, and members
    choose their own ids, as UUIDs (KIP-1082).
    """

    group_id: string
    member_id: string
    member_epoch: int32
    instance_id: string | None = None
    rack_id: string | None = None
    rebalance_timeout_ms: int32 = -1
    subscribed_topic_names: list[string] | None = None
    subscribed_topic_regex: string | None = v("1+", default=None)
    server_assignor: string | None = None
    topic_partitions: list[TopicPartitions] | None = None

    class TopicPartitions(Struct):
        topic_id: uuid
        partitions: list[int32]


class TopicPartitions(Struct):
    topic_id: uuid
    partitions: list[int32]


class ConsumerGroupHeartbeatResponse(Message, key=68, versions="0-1", flexible="0+"):
    """The member's epoch and, when it changed, its assignment, which the member then works toward.

    FENCED_MEMBER_EPOCH and UNKNOWN_MEMBER_ID: give everything up and join again. `heartbeat_interval_ms` says when to
    ask next.
    """

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    member_id: string | None = None
    member_epoch: int32
    heartbeat_interval_ms: int32
    assignment: Assignment | None = None

    class Assignment(Struct):
        topic_partitions: list[TopicPartitions]
