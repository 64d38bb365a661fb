"""OffsetForLeaderEpoch (API 23): where a leader epoch ends, to find where two logs diverge (KIP-101, KIP-320)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class OffsetForLeaderEpochRequest(Message, key=23, versions="2-4", flexible="4+"):
    """Ask for the end of `leader_epoch` in each partition.

    `current_leader_epoch` -1 skips the check that the client's view is current. `replica_id`: a follower's id, -1 a
    consumer, -2 (the default) a debugging client.
    """

    replica_id: int32 = v("3+", default=-2, ignorable=True)
    topics: list[OffsetForLeaderTopic]

    class OffsetForLeaderTopic(Struct):
        topic: string
        partitions: list[OffsetForLeaderPartition]

        class OffsetForLeaderPartition(Struct):
            partition: int32
            current_leader_epoch: int32 = v(default=-1, ignorable=True)
            leader_epoch: int32


class OffsetForLeaderEpochResponse(Message, key=23, versions="2-4", flexible="4+"):
    """The greatest epoch up to the one asked for that the leader has, and the offset after its end; -1 if none."""

    throttle_time_ms: int32 = v(default=0, ignorable=True)
    topics: list[OffsetForLeaderTopicResult]

    class OffsetForLeaderTopicResult(Struct):
        topic: string
        partitions: list[EpochEndOffset]

        class EpochEndOffset(Struct):
            error_code: int16
            partition: int32
            leader_epoch: int32 = v(default=-1, ignorable=True)
            end_offset: int64 = -1
