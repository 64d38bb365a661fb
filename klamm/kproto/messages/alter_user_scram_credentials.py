"""AlterUserScramCredentials (API 51): add, change or delete SCRAM credentials (KIP-554)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class AlterUserScramCredentialsRequest(Message, key=51, versions="0", flexible="0+"):
    """The client salts and hashes the password itself. `mechanism`: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512."""

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
    """An error for each user."""

    throttle_time_ms: int32
    results: list[AlterUserScramCredentialsResult]

    class AlterUserScramCredentialsResult(Struct):
        user: string
        error_code: int16
        error_message: string | None
