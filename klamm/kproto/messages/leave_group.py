"""LeaveGroup (API 13): leave a classic group at once."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class LeaveGroupRequest(Message, key=13, versions="0-5", flexible="4+"):
    """Remove one member, or from v3 on several, static ones by their `group_instance_id` (KIP-345).

    v5 gives a `reason` for each (KIP-800). Static consumers do not send it when they stop: they mean to come back.
    """

    group_id: string
    member_id: string = v("0-2", default="")
    members: list[MemberIdentity] = v("3+", default=[])

    class MemberIdentity(Struct):
        member_id: string
        group_instance_id: string | None = None
        reason: string | None = v("5+", default=None, ignorable=True)


class LeaveGroupResponse(Message, key=13, versions="0-5", flexible="4+"):
    """One error for the request, and from v3 on one for each member."""

    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16
    members: list[MemberResponse] = v("3+", default=[])

    class MemberResponse(Struct):
        member_id: string
        group_instance_id: string | None
        error_code: int16
