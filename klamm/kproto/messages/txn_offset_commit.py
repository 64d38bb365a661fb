"""TxnOffsetCommit (API 28): commit offsets of a group within a transaction (KIP-98)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class TxnOffsetCommitRequest(Message, key=28, versions="0-5", flexible="3+"):
    """Offsets that count once the transaction commits. Goes to the group's coordinator.

    v3 names the member and its generation, so that a zombie is fenced; -1, "" and null skip that (KIP-447). v5 adds the
    group to the transaction by itself (KIP-890).
    """

    transactional_id: string
    group_id: string
    producer_id: int64
    producer_epoch: int16
    generation_id: int32 = v("3+", default=-1)
    member_id: string = v("3+", default="")
    group_instance_id: string | None = v("3+", default=None)
    topics: list[TxnOffsetCommitRequestTopic]

    class TxnOffsetCommitRequestTopic(Struct):
        name: string
        partitions: list[TxnOffsetCommitRequestPartition]

        class TxnOffsetCommitRequestPartition(Struct):
            partition_index: int32
            committed_offset: int64
            committed_leader_epoch: int32 = v("2+", default=-1, ignorable=True)
            committed_metadata: string | None


class TxnOffsetCommitResponse(Message, key=28, versions="0-5", flexible="3+"):
    """An error for each partition."""

    throttle_time_ms: int32
    topics: list[TxnOffsetCommitResponseTopic]

    class TxnOffsetCommitResponseTopic(Struct):
        name: string
        partitions: list[TxnOffsetCommitResponsePartition]

        class TxnOffsetCommitResponsePartition(Struct):
            partition_index: int32
            error_code: int16
