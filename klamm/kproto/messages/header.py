"""The headers in front of every body (KIP-482). On the hot path `frame.py` reads and writes them."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, string, v


class RequestHeader(Message, versions="1-2", flexible="2+"):
    """What precedes a request's body: which API, in which version, asked by whom.

    Version 2 goes with flexible requests and ends in a tag section; `client_id` keeps its int16 length even there.
    """

    request_api_key: int16
    request_api_version: int16
    correlation_id: int32
    client_id: string | None = v(flexible=False)


class ResponseHeader(Message, versions="0-1", flexible="1+"):
    """What precedes a response's body: the `correlation_id` of the request that it answers.

    Version 1 goes with flexible responses, save that ApiVersions always answers in version 0: its client cannot know
    yet what the broker speaks.
    """

    correlation_id: int32
