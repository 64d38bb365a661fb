"""CreateAcls (API 30): add access rules."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class CreateAclsRequest(Message, key=30, versions="1-3", flexible="2+"):
    """Rules to add: who (`principal`, such as "User:alice") may or may not do what, from which `host` ("*" for any).

    `resource_type`: 2 topic, 3 group, 4 cluster, 5 transactional id, 6 delegation token, 7 user (v3, KIP-373).
    `resource_pattern_type`: 3 literal, 4 prefixed (KIP-290). `operation`: 2 all, 3 read, 4 write, 5 create, 6 delete, 7
    alter, 8 describe, 9 cluster action, 10 describe configs, 11 alter configs, 12 idempotent write, 13 create tokens,
    14 describe tokens, 15 two-phase commit. `permission_type`: 2 deny, 3 allow.
    """

    creations: list[AclCreation]

    class AclCreation(Struct):
        resource_type: int8
        resource_name: string
        resource_pattern_type: int8 = 3
        principal: string
        host: string
        operation: int8
        permission_type: int8


class CreateAclsResponse(Message, key=30, versions="1-3", flexible="2+"):
    """An error for each rule, in the order of the request."""

    throttle_time_ms: int32
    results: list[AclCreationResult]

    class AclCreationResult(Struct):
        error_code: int16
        error_message: string | None
