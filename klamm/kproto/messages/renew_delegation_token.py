"""RenewDelegationToken (API 39): let a delegation token live longer (KIP-48)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64


class RenewDelegationTokenRequest(Message, key=39, versions="1-2", flexible="2+"):
    """Ask for `renew_period_ms` more from now; -1 takes the broker's default."""

    hmac: bytes
    renew_period_ms: int64


class RenewDelegationTokenResponse(Message, key=39, versions="1-2", flexible="2+"):
    """When the token expires now."""

    error_code: int16
    expiry_timestamp_ms: int64
    throttle_time_ms: int32
