"""OffsetFetch (API 9): read the committed offsets of groups."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uuid, v


class OffsetFetchRequest(Message, key=9, versions="1-10", flexible="6+"):
    """Ask for committed offsets of one group, or of several from v8 on (KIP-709).

    `topics` null asks for all of a group's partitions (v2). `require_stable` refuses, with UNSTABLE_OFFSET_COMMIT, to
    answer while a transaction has offsets pending (v7, KIP-447). v9 names the member that asks and its epoch (KIP-848),
    v10 goes by topic id.
    """

    group_id: string = v("0-7", default="")
    topics: list[OffsetFetchRequestTopic] | None = v("0-7", default=[], nullable="2-7")
    groups: list[OffsetFetchRequestGroup] = v("8+", default=[])
    require_stable: bool = v("7+", default=False)

    class OffsetFetchRequestTopic(Struct):
        name: string
        partition_indexes: list[int32]

    class OffsetFetchRequestGroup(Struct):
        group_id: string
        member_id: string | None = v("9+", default=None, ignorable=True)
        member_epoch: int32 = v("9+", default=-1, ignorable=True)
        topics: list[OffsetFetchRequestTopics] | None

        class OffsetFetchRequestTopics(Struct):
            name: string = v("8-9", default="", ignorable=True)
            topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
            partition_indexes: list[int32]


class OffsetFetchResponse(Message, key=9, versions="1-10", flexible="6+"):
    """Committed offsets; `committed_offset` -1 where there is none, which is no error.

    `committed_leader_epoch` is -1 if it was not committed (v5, KIP-320). Up to v7 `topics` and `error_code` stand at
    the top, then in each group.
    """

    throttle_time_ms: int32 = v("3+", default=0, ignorable=True)
    topics: list[OffsetFetchResponseTopic] = v("0-7", default=[])
    error_code: int16 = v("2-7", default=0, ignorable=True)
    groups: list[OffsetFetchResponseGroup] = v("8+", default=[])

    class OffsetFetchResponseTopic(Struct):
        name: string
        partitions: list[OffsetFetchResponsePartition]

        class OffsetFetchResponsePartition(Struct):
            partition_index: int32
            committed_offset: int64
            committed_leader_epoch: int32 = v("5-7", default=-1, ignorable=True)
            metadata: string | None
            error_code: int16

    class OffsetFetchResponseGroup(Struct):
        group_id: string
        topics: list[OffsetFetchResponseTopics]
        error_code: int16 = 0

        class OffsetFetchResponseTopics(Struct):
            name: string = v("8-9", default="", ignorable=True)
            topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
            partitions: list[OffsetFetchResponsePartitions]

            class OffsetFetchResponsePartitions(Struct):
                partition_index: int32
                committed_offset: int64
                committed_leader_epoch: int32 = v(default=-1, ignorable=True)
                metadata: string | None
                error_code: int16
