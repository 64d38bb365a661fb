"""ElectLeaders: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class ElectLeadersRequest(Message, key=43, versions="0-2", flexible="2+"):
    election_type: int8 = v("1+", default=0)
    topic_partitions: list[TopicPartitions] | None
    timeout_ms: int32 = 60000

    class TopicPartitions(Struct):
        topic: string
        partitions: list[int32]


class ElectLeadersResponse(Message, key=43, versions="0-2", flexible="2+"):
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
