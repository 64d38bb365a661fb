"""ShareGroupDescribe (API 77): state and members of share groups (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uuid


class ShareGroupDescribeRequest(Message, key=77, versions="1", flexible="0+"):
    """Groups by id."""

    group_ids: list[string]
    include_authorized_operations: bool


class TopicPartitions(Struct):
    topic_id: uuid
    topic_name: string
    partitions: list[int32]


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class ShareGroupDescribeResponse(Message, key=77, versions="1", flexible="0+"):
    """Each group with its members and what they are assigned."""

    throttle_time_ms: int32
    groups: list[DescribedGroup]

    class DescribedGroup(Struct):
        error_code: int16
        error_message: string | None = None
        group_id: string
        group_state: string
        group_epoch: int32
        assignment_epoch: int32
        assignor_name: string
        members: list[Member]
        authorized_operations: int32 = -2147483648

        class Member(Struct):
            member_id: string
            rack_id: string | None = None
            member_epoch: int32
            client_id: string
            client_host: string
            subscribed_topic_names: list[string]
            assignment: Assignment
