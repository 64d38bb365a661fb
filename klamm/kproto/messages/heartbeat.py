"""Heartbeat (API 12): a member of a classic group is alive."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, string, v


class HeartbeatRequest(Message, key=12, versions="0-4", flexible="4+"):
    """Keep the session alive; v3 names the static member (KIP-345)."""

    group_id: string
    generation_id: int32
    member_id: string
    group_instance_id: string | None = v("3+", default=None)


class HeartbeatResponse(Message, key=12, versions="0-4", flexible="4+"):
    """REBALANCE_IN_PROGRESS tells the member to join again; UNKNOWN_MEMBER_ID and ILLEGAL_GENERATION that it is out."""

    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16
