"""AlterUserScramCredentials: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class AlterUserScramCredentialsRequest(Message, key=51, versions="0", flexible="0+"):
    deletions: list[ScramCredentialDeletion]
    upsertions: list[ScramCredentialUpsertion]

    class ScramCredentialDeletion(Struct):
        name: string
        mechanism: int8

    class ScramCredentialUpsertion(Struct):
        name: string
        mechanism: int8
        iterations: int32
        salt: bytes
        salted_password: bytes


class AlterUserScramCredentialsResponse(Message, key=51, versions="0", flexible="0+"):
    throttle_time_ms: int32
    results: list[AlterUserScramCredentialsResult]

    class AlterUserScramCredentialsResult(Struct):
        user: string
        error_code: int16
        error_message: string | None
