"""CreateDelegationToken (API 38): a token to authenticate with in place of credentials (KIP-48)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class CreateDelegationTokenRequest(Message, key=38, versions="1-3", flexible="2+"):
    """`max_lifetime_ms` -1 takes the broker's limit. v3 may name another owner, "" and null for oneself (KIP-373)."""

    owner_principal_type: string | None = v("3+", default="")
    owner_principal_name: string | None = v("3+", default="")
    renewers: list[CreatableRenewers]
    max_lifetime_ms: int64

    class CreatableRenewers(Struct):
        principal_type: string
        principal_name: string


class CreateDelegationTokenResponse(Message, key=38, versions="1-3", flexible="2+"):
    """The token: `token_id` is the SCRAM user, the base64 form of `hmac` its password. Times in ms since 1970."""

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
