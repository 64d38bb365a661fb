"""DeleteRecords (API 21): give up the beginning of partitions (KIP-107)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string


class DeleteRecordsRequest(Message, key=21, versions="0-2", flexible="2+"):
    """Delete records before an offset; -1 stands for the high watermark. Goes to each partition's leader."""

    topics: list[DeleteRecordsTopic]
    timeout_ms: int32

    class DeleteRecordsTopic(Struct):
        name: string
        partitions: list[DeleteRecordsPartition]

        class DeleteRecordsPartition(Struct):
            partition_index: int32
            offset: int64


class DeleteRecordsResponse(Message, key=21, versions="0-2", flexible="2+"):
    """The new log start of each partition, lowest over its replicas; `low_watermark` is -1 with an error."""

    throttle_time_ms: int32
    topics: list[DeleteRecordsTopicResult]

    class DeleteRecordsTopicResult(Struct):
        name: string
        partitions: list[DeleteRecordsPartitionResult]

        class DeleteRecordsPartitionResult(Struct):
            partition_index: int32
            low_watermark: int64
            error_code: int16
