"""ListOffsets (API 2): offsets of partitions by timestamp."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, v


class ListOffsetsRequest(Message, key=2, versions="1-11", flexible="6+"):
    """The offset of the first record at or after a timestamp, or of a special point in the log.

    `timestamp` in ms since 1970, or -1 latest, -2 earliest, -3 the record with the greatest timestamp (v7, KIP-734), -4
    earliest on local disk (v8, KIP-405), -5 last in remote storage (v9, KIP-1005), -6 earliest not yet uploaded (v11,
    KIP-1023). `isolation_level` 1 takes the last stable offset for the latest. `replica_id` -1 for clients.
    `timeout_ms` (v10, KIP-1075) bounds a look-up in remote storage.
    """

    replica_id: int32
    isolation_level: int8 = v("2+", default=0)
    topics: list[ListOffsetsTopic]
    timeout_ms: int32 = v("10+", default=0, ignorable=True)

    class ListOffsetsTopic(Struct):
        name: string
        partitions: list[ListOffsetsPartition]

        class ListOffsetsPartition(Struct):
            partition_index: int32
            current_leader_epoch: int32 = v("4+", default=-1, ignorable=True)
            timestamp: int64


class ListOffsetsResponse(Message, key=2, versions="1-11", flexible="6+"):
    """One offset a partition; `offset` and `timestamp` are -1 when no record is that late.

    Asked for the latest or the earliest, `timestamp` is -1 too. v4 gives the leader epoch of the offset (KIP-320).
    """

    throttle_time_ms: int32 = v("2+", default=0, ignorable=True)
    topics: list[ListOffsetsTopicResponse]

    class ListOffsetsTopicResponse(Struct):
        name: string
        partitions: list[ListOffsetsPartitionResponse]

        class ListOffsetsPartitionResponse(Struct):
            partition_index: int32
            error_code: int16
            timestamp: int64 = -1
            offset: int64 = -1
            leader_epoch: int32 = v("4+", default=-1)
