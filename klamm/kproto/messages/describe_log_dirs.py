"""DescribeLogDirs (API 35): a broker's log directories and what is in them (KIP-113)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class DescribeLogDirsRequest(Message, key=35, versions="1-5", flexible="2+"):
    """`topics` null asks for everything."""

    topics: list[DescribableLogDirTopic] | None

    class DescribableLogDirTopic(Struct):
        topic: string
        partitions: list[int32]


class DescribeLogDirsResponse(Message, key=35, versions="1-5", flexible="2+"):
    """Sizes in bytes. `offset_lag` is how far a replica is behind; `is_future_key` marks one that is moving in.

    v3 has an error for the request, v4 the size and free space of the volume, -1 if unknown (KIP-827), v5 whether the
    directory takes no new partitions (KIP-1066).
    """

    throttle_time_ms: int32
    error_code: int16 = v("3+", default=0, ignorable=True)
    results: list[DescribeLogDirsResult]

    class DescribeLogDirsResult(Struct):
        error_code: int16
        log_dir: string
        topics: list[DescribeLogDirsTopic]
        total_bytes: int64 = v("4+", default=-1, ignorable=True)
        usable_bytes: int64 = v("4+", default=-1, ignorable=True)
        is_cordoned: bool = v("5+", default=False, ignorable=True)

        class DescribeLogDirsTopic(Struct):
            name: string
            partitions: list[DescribeLogDirsPartition]

            class DescribeLogDirsPartition(Struct):
                partition_index: int32
                partition_size: int64
                offset_lag: int64
                is_future_key: bool
