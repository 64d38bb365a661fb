"""SaslAuthenticate: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int64, string, v


class SaslAuthenticateRequest(Message, key=36, versions="0-2", flexible="2+"):
    auth_bytes: bytes


class SaslAuthenticateResponse(Message, key=36, versions="0-2", flexible="2+"):
    error_code: int16
    error_message: string | None
    auth_bytes: bytes
    session_lifetime_ms: int64 = v("1+", default=0, ignorable=True)
