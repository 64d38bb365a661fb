"""DeleteAcls (API 31): delete access rules by filters. `create_acls.py` says what the numbers mean."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class DeleteAclsRequest(Message, key=31, versions="1-3", flexible="2+"):
    """Filters as in DescribeAcls; every rule that one of them matches goes."""

    filters: list[DeleteAclsFilter]

    class DeleteAclsFilter(Struct):
        resource_type_filter: int8
        resource_name_filter: string | None
        pattern_type_filter: int8 = 3
        principal_filter: string | None
        host_filter: string | None
        operation: int8
        permission_type: int8


class DeleteAclsResponse(Message, key=31, versions="1-3", flexible="2+"):
    """For each filter the rules that it deleted."""

    throttle_time_ms: int32
    filter_results: list[DeleteAclsFilterResult]

    class DeleteAclsFilterResult(Struct):
        error_code: int16
        error_message: string | None
        matching_acls: list[DeleteAclsMatchingAcl]

        class DeleteAclsMatchingAcl(Struct):
            error_code: int16
            error_message: string | None
            resource_type: int8
            resource_name: string
            pattern_type: int8 = 3
            principal: string
            host: string
            operation: int8
            permission_type: int8
