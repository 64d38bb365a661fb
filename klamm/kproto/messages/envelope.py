"""Envelope: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16


class EnvelopeRequest(Message, key=58, versions="0", flexible="0+"):
    request_data: bytes
    request_principal: bytes | None
    client_host_address: bytes


class EnvelopeResponse(Message, key=58, versions="0", flexible="0+"):
    response_data: bytes | None = None
    error_code: int16
