"""SaslAuthenticate (API 36): a step of the SASL exchange (KIP-152)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int64, string, v


class SaslAuthenticateRequest(Message, key=36, versions="0-2", flexible="2+"):
    """What the client's mechanism says next."""

    auth_bytes: bytes


class SaslAuthenticateResponse(Message, key=36, versions="0-2", flexible="2+"):
    """What the server's mechanism answers.

    `session_lifetime_ms` (v1, KIP-368): authenticate again within it, or be cut off; 0 for no limit.
    """

    error_code: int16
    error_message: string | None
    auth_bytes: bytes
    session_lifetime_ms: int64 = v("1+", default=0, ignorable=True)
