"""ShareGroupHeartbeat (API 76): join, stay in and leave a share group (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uuid


class ShareGroupHeartbeatRequest(Message, key=76, versions="1", flexible="0+"):
    """`member_epoch`: 0 joins, -1 leaves, else that of the last response. Topics null if they have not changed."""

    group_id: string
    member_id: string
    member_epoch: int32
    rack_id: string | None = None
    subscribed_topic_names: list[string] | None = None


class TopicPartitions(Struct):
    topic_id: uuid
    partitions: list[int32]


class ShareGroupHeartbeatResponse(Message, key=76, versions="1", flexible="0+"):
    """The member's epoch and, when it changed, the partitions to fetch from; members share them."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    member_id: string | None = None
    member_epoch: int32
    heartbeat_interval_ms: int32
    assignment: Assignment | None = None

    class Assignment(Struct):
        topic_partitions: list[TopicPartitions]
