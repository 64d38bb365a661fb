"""DescribeLogDirs: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class DescribeLogDirsRequest(Message, key=35, versions="1-5", flexible="2+"):
    topics: list[DescribableLogDirTopic] | None

    class DescribableLogDirTopic(Struct):
        topic: string
        partitions: list[int32]


class DescribeLogDirsResponse(Message, key=35, versions="1-5", flexible="2+"):
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
