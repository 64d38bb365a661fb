"""ReadShareGroupStateSummary (API 87): a share partition's start offset, without the records' state (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, uuid, v


class ReadShareGroupStateSummaryRequest(Message, key=87, versions="0-1", flexible="0+"):
    """Partitions of a group."""

    group_id: string
    topics: list[ReadStateSummaryData]

    class ReadStateSummaryData(Struct):
        topic_id: uuid
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition: int32
            leader_epoch: int32


class ReadShareGroupStateSummaryResponse(Message, key=87, versions="0-1", flexible="0+"):
    """Start offsets; v1 counts what is delivered behind them, -1 if unknown (KIP-1226)."""

    results: list[ReadStateSummaryResult]

    class ReadStateSummaryResult(Struct):
        topic_id: uuid
        partitions: list[PartitionResult]

        class PartitionResult(Struct):
            partition: int32
            error_code: int16
            error_message: string | None = None
            state_epoch: int32
            leader_epoch: int32
            start_offset: int64
            delivery_complete_count: int32 = v("1+", default=-1, ignorable=True)
