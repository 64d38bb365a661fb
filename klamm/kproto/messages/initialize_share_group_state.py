"""InitializeShareGroupState (API 83): the group coordinator starts a share partition's state (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, uuid


class InitializeShareGroupStateRequest(Message, key=83, versions="0", flexible="0+"):
    """Where delivery begins; -1 leaves that to the partition's leader."""

    group_id: string
    topics: list[InitializeStateData]

    class InitializeStateData(Struct):
        topic_id: uuid
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition: int32
            state_epoch: int32
            start_offset: int64


class InitializeShareGroupStateResponse(Message, key=83, versions="0", flexible="0+"):
    """An error for each partition."""

    results: list[InitializeStateResult]

    class InitializeStateResult(Struct):
        topic_id: uuid
        partitions: list[PartitionResult]

        class PartitionResult(Struct):
            partition: int32
            error_code: int16
            error_message: string | None = None
