"""JoinGroup: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class JoinGroupRequest(Message, key=11, versions="0-9", flexible="6+"):
    group_id: string
    session_timeout_ms: int32
    rebalance_timeout_ms: int32 = v("1+", default=-1, ignorable=True)
    member_id: string
    group_instance_id: string | None = v("5+", default=None)
    protocol_type: string
    protocols: list[JoinGroupRequestProtocol]
    reason: string | None = v("8+", default=None, ignorable=True)

    class JoinGroupRequestProtocol(Struct):
        name: string
        metadata: bytes


class JoinGroupResponse(Message, key=11, versions="0-9", flexible="6+"):
    throttle_time_ms: int32 = v("2+", default=0, ignorable=True)
    error_code: int16
    generation_id: int32 = -1
    protocol_type: string | None = v("7+", default=None, ignorable=True)
    protocol_name: string | None = v(nullable="7+")
    leader: string
    skip_assignment: bool = v("9+", default=False)
    member_id: string
    members: list[JoinGroupResponseMember]

    class JoinGroupResponseMember(Struct):
        member_id: string
        group_instance_id: string | None = v("5+", default=None, ignorable=True)
        metadata: bytes
