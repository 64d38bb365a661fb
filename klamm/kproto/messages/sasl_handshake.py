"""SaslHandshake: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, string


class SaslHandshakeRequest(Message, key=17, versions="0-1"):
    mechanism: string


class SaslHandshakeResponse(Message, key=17, versions="0-1"):
    error_code: int16
    mechanisms: list[string]
