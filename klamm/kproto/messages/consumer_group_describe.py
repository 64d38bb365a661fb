"""ConsumerGroupDescribe (API 69): state and members of consumer groups (KIP-848)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, uuid, v


class ConsumerGroupDescribeRequest(Message, key=69, versions="0-1", flexible="0+"):
    """Groups by id."""

    group_ids: list[string]
    include_authorized_operations: bool


class TopicPartitions(Struct):
    topic_id: uuid
    topic_name: string
    partitions: list[int32]


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class ConsumerGroupDescribeResponse(Message, key=69, versions="0-1", flexible="0+"):
    """Each group with its members, what they own and what they are to own.

    `group_state`: Empty, Assigning, Reconciling, Stable or Dead. `member_type` (v1, KIP-1099): 0 classic, 1 consumer,
    -1 unknown.
    """

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
            instance_id: string | None = None
            rack_id: string | None = None
            member_epoch: int32
            client_id: string
            client_host: string
            subscribed_topic_names: list[string]
            subscribed_topic_regex: string | None = None
            assignment: Assignment
            target_assignment: Assignment
            member_type: int8 = v("1+", default=-1, ignorable=True)
