"""DescribeGroups: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class DescribeGroupsRequest(Message, key=15, versions="0-6", flexible="5+"):
    groups: list[string]
    include_authorized_operations: bool = v("3+", default=False)


class DescribeGroupsResponse(Message, key=15, versions="0-6", flexible="5+"):
    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    groups: list[DescribedGroup]

    class DescribedGroup(Struct):
        error_code: int16
        error_message: string | None = v("6+", default=None)
        group_id: string
        group_state: string
        protocol_type: string
        protocol_data: string
        members: list[DescribedGroupMember]
        authorized_operations: int32 = v("3+", default=-2147483648)

        class DescribedGroupMember(Struct):
            member_id: string
            group_instance_id: string | None = v("4+", default=None, ignorable=True)
            client_id: string
            client_host: string
            member_metadata: bytes
            member_assignment: bytes
