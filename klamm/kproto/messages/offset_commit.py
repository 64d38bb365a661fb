"""OffsetCommit (API 8): store the offsets up to which a group has read."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uuid, v


class OffsetCommitRequest(Message, key=8, versions="2-10", flexible="8+"):
    """Commit offsets of a group: per partition the next record to read, with a string of the client's own.

    `generation_id_or_member_epoch` is a classic group's generation, or the member's epoch in a consumer group (v9,
    KIP-848); -1 with an empty `member_id` commits from outside, which only an empty group allows.
    `committed_leader_epoch` is -1 if unknown (v6, KIP-320). `retention_time_ms` ended with v4 (KIP-211). v7 has static
    members (KIP-345), v10 topic ids in place of names (KIP-848).
    """

    group_id: string
    generation_id_or_member_epoch: int32 = v(default=-1, ignorable=True)
    member_id: string = v(default="", ignorable=True)
    group_instance_id: string | None = v("7+", default=None)
    retention_time_ms: int64 = v("2-4", default=-1, ignorable=True)
    topics: list[OffsetCommitRequestTopic]

    class OffsetCommitRequestTopic(Struct):
        name: string = v("0-9", default="", ignorable=True)
        topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
        partitions: list[OffsetCommitRequestPartition]

        class OffsetCommitRequestPartition(Struct):
            partition_index: int32
            committed_offset: int64
            committed_leader_epoch: int32 = v("6+", default=-1, ignorable=True)
            committed_metadata: string | None


class OffsetCommitResponse(Message, key=8, versions="2-10", flexible="8+"):
    """An error code for each partition; also for errors that concern the whole group."""

    throttle_time_ms: int32 = v("3+", default=0, ignorable=True)
    topics: list[OffsetCommitResponseTopic]

    class OffsetCommitResponseTopic(Struct):
        name: string = v("0-9", default="", ignorable=True)
        topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
        partitions: list[OffsetCommitResponsePartition]

        class OffsetCommitResponsePartition(Struct):
            partition_index: int32
            error_code: int16
