"""CreateDelegationToken: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class CreateDelegationTokenRequest(Message, key=38, versions="1-3", flexible="2+"):
    owner_principal_type: string | None = v("3+", default="")
    owner_principal_name: string | None = v("3+", default="")
    renewers: list[CreatableRenewers]
    max_lifetime_ms: int64

    class CreatableRenewers(Struct):
        principal_type: string
        principal_name: string


class CreateDelegationTokenResponse(Message, key=38, versions="1-3", flexible="2+"):
    error_code: int16
    principal_type: string
    principal_name: string
    token_requester_principal_type: string = v("3+", default="")
    token_requester_principal_name: string = v("3+", default="")
    issue_timestamp_ms: int64
    expiry_timestamp_ms: int64
    max_timestamp_ms: int64
    token_id: string
    hmac: bytes
    throttle_time_ms: int32
