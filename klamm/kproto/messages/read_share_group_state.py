"""ReadShareGroupState (API 84): a share partition's leader loads its state (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, uuid


class ReadShareGroupStateRequest(Message, key=84, versions="0", flexible="0+"):
    """Partitions, with the epoch of the leader that asks."""

    group_id: string
    topics: list[ReadStateData]

    class ReadStateData(Struct):
        topic_id: uuid
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition: int32
            leader_epoch: int32


class ReadShareGroupStateResponse(Message, key=84, versions="0", flexible="0+"):
    """The start offset and the state of the records behind it: 0 available, 2 acknowledged, 4 archived."""

    results: list[ReadStateResult]

    class ReadStateResult(Struct):
        topic_id: uuid
        partitions: list[PartitionResult]

        class PartitionResult(Struct):
            partition: int32
            error_code: int16
            error_message: string | None = None
            state_epoch: int32
            start_offset: int64
            state_batches: list[StateBatch]

            class StateBatch(Struct):
                first_offset: int64
                last_offset: int64
                delivery_state: int8
                delivery_count: int16
