"""ListPartitionReassignments (API 46): the moves under way (KIP-455)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string


class ListPartitionReassignmentsRequest(Message, key=46, versions="0", flexible="0+"):
    """`topics` null asks for all."""

    timeout_ms: int32 = 60000
    topics: list[ListPartitionReassignmentsTopics] | None = None

    class ListPartitionReassignmentsTopics(Struct):
        name: string
        partition_indexes: list[int32]


class ListPartitionReassignmentsResponse(Message, key=46, versions="0", flexible="0+"):
    """All present replicas of each moving partition, and which of them come and go."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    topics: list[OngoingTopicReassignment]

    class OngoingTopicReassignment(Struct):
        name: string
        partitions: list[OngoingPartitionReassignment]

        class OngoingPartitionReassignment(Struct):
            partition_index: int32
            replicas: list[int32]
            adding_replicas: list[int32]
            removing_replicas: list[int32]
