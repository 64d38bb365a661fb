"""SyncGroup (API 14): hand out the assignment of a classic group's generation."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class SyncGroupRequest(Message, key=14, versions="0-5", flexible="4+"):
    """The leader brings `assignments` for all, the others none; all wait for the leader's.

    v3 has static members (KIP-345); v5 tells protocol type and name, which must be those of the group (KIP-559).
    """

    group_id: string
    generation_id: int32
    member_id: string
    group_instance_id: string | None = v("3+", default=None)
    protocol_type: string | None = v("5+", default=None, ignorable=True)
    protocol_name: string | None = v("5+", default=None, ignorable=True)
    assignments: list[SyncGroupRequestAssignment]

    class SyncGroupRequestAssignment(Struct):
        member_id: string
        assignment: bytes


class SyncGroupResponse(Message, key=14, versions="0-5", flexible="4+"):
    """The member's assignment, as the leader wrote it: of consumers, a ConsumerProtocolAssignment."""

    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16
    protocol_type: string | None = v("5+", default=None, ignorable=True)
    protocol_name: string | None = v("5+", default=None, ignorable=True)
    assignment: bytes
