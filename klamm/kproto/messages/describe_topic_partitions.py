"""DescribeTopicPartitions (API 75): topics with eligible leader replicas, a page at a time (KIP-966)."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, string, uuid, v


class DescribeTopicPartitionsRequest(Message, key=75, versions="0", flexible="0+"):
    """Topics by name, none for all, in the order of their names; `cursor` null for the first page.

    The answer has at most `response_partition_limit` partitions; the broker may have a lower limit.
    """

    topics: list[TopicRequest]
    response_partition_limit: int32 = 2000
    cursor: Cursor | None = None

    class TopicRequest(Struct):
        name: string

    class Cursor(Struct):
        topic_name: string
        partition_index: int32


class DescribeTopicPartitionsResponse(Message, key=75, versions="0", flexible="0+"):
    """Topics and partitions; `next_cursor` is where the next page begins, null at the end.

    `eligible_leader_replicas` hold everything that was committed though they are not in the ISR; `last_known_elr` are
    those before an unclean election.
    """

    throttle_time_ms: int32 = v(default=0, ignorable=True)
    topics: list[DescribeTopicPartitionsResponseTopic]
    next_cursor: Cursor | None = None

    class DescribeTopicPartitionsResponseTopic(Struct):
        error_code: int16
        name: string | None
        topic_id: uuid = v(default=ZERO_UUID, ignorable=True)
        is_internal: bool = v(default=False, ignorable=True)
        partitions: list[DescribeTopicPartitionsResponsePartition]
        topic_authorized_operations: int32 = -2147483648

        class DescribeTopicPartitionsResponsePartition(Struct):
            error_code: int16
            partition_index: int32
            leader_id: int32
            leader_epoch: int32 = v(default=-1, ignorable=True)
            replica_nodes: list[int32]
            isr_nodes: list[int32]
            eligible_leader_replicas: list[int32] | None = None
            last_known_elr: list[int32] | None = None
            offline_replicas: list[int32] = v(default=[], ignorable=True)

    class Cursor(Struct):
        topic_name: string
        partition_index: int32
