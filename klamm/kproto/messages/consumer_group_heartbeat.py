"""ConsumerGroupHeartbeat: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uuid, v


class ConsumerGroupHeartbeatRequest(Message, key=68, versions="0-1", flexible="0+"):
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
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    member_id: string | None = None
    member_epoch: int32
    heartbeat_interval_ms: int32
    assignment: Assignment | None = None

    class Assignment(Struct):
        topic_partitions: list[TopicPartitions]
