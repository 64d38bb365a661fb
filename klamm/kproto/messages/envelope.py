"""Envelope (API 58): a client's request, forwarded by a broker to the controller (KIP-590)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16


class EnvelopeRequest(Message, key=58, versions="0", flexible="0+"):
    """The client's request with its header, its principal (DefaultPrincipalData) and its address as raw bytes."""

    request_data: bytes
    request_principal: bytes | None
    client_host_address: bytes


class EnvelopeResponse(Message, key=58, versions="0", flexible="0+"):
    """The response for the client, with its header."""

    response_data: bytes | None = None
    error_code: int16
