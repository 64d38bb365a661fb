"""DescribeDelegationToken (API 41): the delegation tokens that one may see (KIP-48)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class DescribeDelegationTokenRequest(Message, key=41, versions="1-3", flexible="2+"):
    """`owners` null asks for the tokens of all owners."""

    owners: list[DescribeDelegationTokenOwner] | None

    class DescribeDelegationTokenOwner(Struct):
        principal_type: string
        principal_name: string


class DescribeDelegationTokenResponse(Message, key=41, versions="1-3", flexible="2+"):
    """The tokens; v3 also tells who asked for each (KIP-373)."""

    error_code: int16
    tokens: list[DescribedDelegationToken]
    throttle_time_ms: int32

    class DescribedDelegationToken(Struct):
        principal_type: string
        principal_name: string
        token_requester_principal_type: string = v("3+", default="")
        token_requester_principal_name: string = v("3+", default="")
        issue_timestamp: int64
        expiry_timestamp: int64
        max_timestamp: int64
        token_id: string
        hmac: bytes
        renewers: list[DescribedDelegationTokenRenewer]

        class DescribedDelegationTokenRenewer(Struct):
            principal_type: string
            principal_name: string
