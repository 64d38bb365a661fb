"""DescribeGroups (API 15): state and members of classic groups."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class DescribeGroupsRequest(Message, key=15, versions="0-6", flexible="5+"):
    """Describe groups by id; v3 may ask which operations are authorized (KIP-430)."""

    groups: list[string]
    include_authorized_operations: bool = v("3+", default=False)


class DescribeGroupsResponse(Message, key=15, versions="0-6", flexible="5+"):
    """Each group with its members, their metadata and assignments as the members wrote them.

    `group_state`: Empty, PreparingRebalance, CompletingRebalance, Stable or Dead. Up to v5 a group that there is not is
    described as Dead; v6 has GROUP_ID_NOT_FOUND and a message (KIP-1043). v4 shows instance ids (KIP-345).
    """

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
