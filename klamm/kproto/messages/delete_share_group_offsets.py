"""DeleteShareGroupOffsets (API 92): drop topics from an empty share group (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uuid


class DeleteShareGroupOffsetsRequest(Message, key=92, versions="0", flexible="0+"):
    """Topics by name."""

    group_id: string
    topics: list[DeleteShareGroupOffsetsRequestTopic]

    class DeleteShareGroupOffsetsRequestTopic(Struct):
        topic_name: string


class DeleteShareGroupOffsetsResponse(Message, key=92, versions="0", flexible="0+"):
    """An error for each topic."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    responses: list[DeleteShareGroupOffsetsResponseTopic]

    class DeleteShareGroupOffsetsResponseTopic(Struct):
        topic_name: string
        topic_id: uuid
        error_code: int16
        error_message: string | None = None
