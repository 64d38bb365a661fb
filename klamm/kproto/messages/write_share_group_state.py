"""WriteShareGroupState (API 85): a share partition's leader stores its state (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, uuid, v


class WriteShareGroupStateRequest(Message, key=85, versions="0-1", flexible="0+"):
    """What changed since the last write; `start_offset` -1 if that did not. States as in ReadShareGroupState."""

    group_id: string
    topics: list[WriteStateData]

    class WriteStateData(Struct):
        topic_id: uuid
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition: int32
            state_epoch: int32
            leader_epoch: int32
            start_offset: int64
            delivery_complete_count: int32 = v("1+", default=-1, ignorable=True)
            state_batches: list[StateBatch]

            class StateBatch(Struct):
                first_offset: int64
                last_offset: int64
                delivery_state: int8
                delivery_count: int16


class WriteShareGroupStateResponse(Message, key=85, versions="0-1", flexible="0+"):
    """An error for each partition."""

    results: list[WriteStateResult]

    class WriteStateResult(Struct):
        topic_id: uuid
        partitions: list[PartitionResult]

        class PartitionResult(Struct):
            partition: int32
            error_code: int16
            error_message: string | None = None
