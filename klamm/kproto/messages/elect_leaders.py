"""ElectLeaders (API 43): elect leaders anew (KIP-183, KIP-460)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class ElectLeadersRequest(Message, key=43, versions="0-2", flexible="2+"):
    """`election_type`: 0 the preferred replica, 1 unclean, any live one. `topic_partitions` null for all."""

    election_type: int8 = v("1+", default=0)
    topic_partitions: list[TopicPartitions] | None
    timeout_ms: int32 = 60000

    class TopicPartitions(Struct):
        topic: string
        partitions: list[int32]


class ElectLeadersResponse(Message, key=43, versions="0-2", flexible="2+"):
    """An error for each partition; ELECTION_NOT_NEEDED where nothing is to be done."""

    throttle_time_ms: int32
    error_code: int16 = v("1+", default=0)
    replica_election_results: list[ReplicaElectionResult]

    class ReplicaElectionResult(Struct):
        topic: string
        partition_result: list[PartitionResult]

        class PartitionResult(Struct):
            partition_id: int32
            error_code: int16
            error_message: string | None
