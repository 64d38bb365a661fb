"""CreateAcls: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class CreateAclsRequest(Message, key=30, versions="1-3", flexible="2+"):
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
    throttle_time_ms: int32
    results: list[AclCreationResult]

    class AclCreationResult(Struct):
        error_code: int16
        error_message: string | None
