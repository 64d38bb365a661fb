"""SaslHandshake (API 17): agree on a SASL mechanism."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, string


class SaslHandshakeRequest(Message, key=17, versions="0-1"):
    """Name the mechanism. After v0 bare SASL tokens follow on the connection, after v1 SaslAuthenticate (KIP-152)."""

    mechanism: string


class SaslHandshakeResponse(Message, key=17, versions="0-1"):
    """UNSUPPORTED_SASL_MECHANISM lists what the broker offers; ILLEGAL_SASL_STATE if the listener has no SASL."""

    error_code: int16
    mechanisms: list[string]
