"""DeleteShareGroupState (API 86): the group coordinator drops share partitions' state (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uuid


class DeleteShareGroupStateRequest(Message, key=86, versions="0", flexible="0+"):
    """Partitions of a group."""

    group_id: string
    topics: list[DeleteStateData]

    class DeleteStateData(Struct):
        topic_id: uuid
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition: int32


class DeleteShareGroupStateResponse(Message, key=86, versions="0", flexible="0+"):
    """An error for each partition."""

    results: list[DeleteStateResult]

    class DeleteStateResult(Struct):
        topic_id: uuid
        partitions: list[PartitionResult]

        class PartitionResult(Struct):
            partition: int32
            error_code: int16
            error_message: string | None = None
