"""messages/header"""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, string, v


class RequestHeader(Message, versions="1-2", flexible="2+"):
    request_api_key: int16
    request_api_version: int16
    correlation_id: int32
    client_id: string | None = v(flexible=False)


class ResponseHeader(Message, versions="0-1", flexible="1+"):
    correlation_id: int32
