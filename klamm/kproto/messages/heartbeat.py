"""Heartbeat: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, string, v


class HeartbeatRequest(Message, key=12, versions="0-4", flexible="4+"):
    group_id: string
    generation_id: int32
    member_id: string
    group_instance_id: string | None = v("3+", default=None)


class HeartbeatResponse(Message, key=12, versions="0-4", flexible="4+"):
    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16
