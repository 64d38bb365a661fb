"""DeleteTopics: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, string, uuid, v


class DeleteTopicsRequest(Message, key=20, versions="1-6", flexible="4+"):
    topics: list[DeleteTopicState] = v("6+", default=[])
    topic_names: list[string] = v("0-5", default=[], ignorable=True)
    timeout_ms: int32

    class DeleteTopicState(Struct):
        name: string | None = None
        topic_id: uuid


class DeleteTopicsResponse(Message, key=20, versions="1-6", flexible="4+"):
    throttle_time_ms: int32 = v(default=0, ignorable=True)
    responses: list[DeletableTopicResult]

    class DeletableTopicResult(Struct):
        name: string | None = v(nullable="6+")
        topic_id: uuid = v("6+", default=ZERO_UUID, ignorable=True)
        error_code: int16
        error_message: string | None = v("5+", default=None, ignorable=True)
