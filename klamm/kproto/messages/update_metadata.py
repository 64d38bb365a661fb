"""UpdateMetadata: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message


class UpdateMetadataRequest(Message, key=6, versions="none"):
    pass


class UpdateMetadataResponse(Message, key=6, versions="none"):
    pass
