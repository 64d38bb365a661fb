"""DescribeAcls (API 29): list access rules by a filter. `create_acls.py` says what the numbers mean."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class DescribeAclsRequest(Message, key=29, versions="1-3", flexible="2+"):
    """A filter: null names match all, 1 is any for types and operations.

    `pattern_type_filter` 2 (match) finds all rules that would apply to the name: the literal one, prefixes of it and
    "*" (KIP-290).
    """

    resource_type_filter: int8
    resource_name_filter: string | None
    pattern_type_filter: int8 = 3
    principal_filter: string | None
    host_filter: string | None
    operation: int8
    permission_type: int8


class DescribeAclsResponse(Message, key=29, versions="1-3", flexible="2+"):
    """The rules that match, by resource."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    resources: list[DescribeAclsResource]

    class DescribeAclsResource(Struct):
        resource_type: int8
        resource_name: string
        pattern_type: int8 = 3
        acls: list[AclDescription]

        class AclDescription(Struct):
            principal: string
            host: string
            operation: int8
            permission_type: int8
