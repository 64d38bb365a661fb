"""DeleteTopics (API 20): delete topics by name or id."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, string, uuid, v


class DeleteTopicsRequest(Message, key=20, versions="1-6", flexible="4+"):
    """Delete topics: `topic_names` up to v5, then `topics`, each with either a name or an id (KIP-516)."""

    topics: list[DeleteTopicState] = v("6+", default=[])
    topic_names: list[string] = v("0-5", default=[], ignorable=True)
    timeout_ms: int32

    class DeleteTopicState(Struct):
        name: string | None = None
        topic_id: uuid


class DeleteTopicsResponse(Message, key=20, versions="1-6", flexible="4+"):
    """An error for each topic; v5 with a message (KIP-599). `name` is null for an id that the client may not see."""

    throttle_time_ms: int32 = v(default=0, ignorable=True)
    responses: list[DeletableTopicResult]

    class DeletableTopicResult(Struct):
        name: string | None = v(nullable="6+")
        topic_id: uuid = v("6+", default=ZERO_UUID, ignorable=True)
        error_code: int16
        error_message: string | None = v("5+", default=None, ignorable=True)
