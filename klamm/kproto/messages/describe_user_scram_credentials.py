"""DescribeUserScramCredentials (API 50): which SCRAM credentials users have (KIP-554)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class DescribeUserScramCredentialsRequest(Message, key=50, versions="0", flexible="0+"):
    """`users` null or empty asks for all."""

    users: list[UserName] | None

    class UserName(Struct):
        name: string


class DescribeUserScramCredentialsResponse(Message, key=50, versions="0", flexible="0+"):
    """Mechanisms (1 SCRAM-SHA-256, 2 SCRAM-SHA-512) and iterations; never the secrets."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    results: list[DescribeUserScramCredentialsResult]

    class DescribeUserScramCredentialsResult(Struct):
        user: string
        error_code: int16
        error_message: string | None
        credential_infos: list[CredentialInfo]

        class CredentialInfo(Struct):
            mechanism: int8
            iterations: int32
