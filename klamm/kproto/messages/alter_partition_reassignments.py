"""AlterPartitionReassignments (API 45): move partitions to other brokers (KIP-455)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class AlterPartitionReassignmentsRequest(Message, key=45, versions="0-1", flexible="0+"):
    """The replicas that each partition is to have, the preferred leader first; null cancels a move.

    `allow_replication_factor_change` false refuses one that would change the number of replicas (v1, KIP-860).
    """

    timeout_ms: int32 = 60000
    allow_replication_factor_change: bool = v("1+", default=True)
    topics: list[ReassignableTopic]

    class ReassignableTopic(Struct):
        name: string
        partitions: list[ReassignablePartition]

        class ReassignablePartition(Struct):
            partition_index: int32
            replicas: list[int32] | None = None


class AlterPartitionReassignmentsResponse(Message, key=45, versions="0-1", flexible="0+"):
    """An error for each partition; the move goes on in the background."""

    throttle_time_ms: int32
    allow_replication_factor_change: bool = v("1+", default=True, ignorable=True)
    error_code: int16
    error_message: string | None
    responses: list[ReassignableTopicResponse]

    class ReassignableTopicResponse(Struct):
        name: string
        partitions: list[ReassignablePartitionResponse]

        class ReassignablePartitionResponse(Struct):
            partition_index: int32
            error_code: int16
            error_message: string | None
