"""ExpireDelegationToken (API 40): end a delegation token, or change when it ends (KIP-48)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64


class ExpireDelegationTokenRequest(Message, key=40, versions="1-2", flexible="2+"):
    """Let the token end in `expiry_time_period_ms`; a negative one ends it now."""

    hmac: bytes
    expiry_time_period_ms: int64


class ExpireDelegationTokenResponse(Message, key=40, versions="1-2", flexible="2+"):
    """When the token expires now."""

    error_code: int16
    expiry_timestamp_ms: int64
    throttle_time_ms: int32
