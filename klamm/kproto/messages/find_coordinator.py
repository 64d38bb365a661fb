"""FindCoordinator: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class FindCoordinatorRequest(Message, key=10, versions="0-6", flexible="3+"):
    key: string = v("0-3", default="")
    key_type: int8 = v("1+", default=0)
    coordinator_keys: list[string] = v("4+", default=[])


class FindCoordinatorResponse(Message, key=10, versions="0-6", flexible="3+"):
    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16 = v("0-3", default=0)
    error_message: string | None = v("1-3", default="", ignorable=True)
    node_id: int32 = v("0-3", default=0)
    host: string = v("0-3", default="")
    port: int32 = v("0-3", default=0)
    coordinators: list[Coordinator] = v("4+", default=[])

    class Coordinator(Struct):
        key: string
        node_id: int32
        host: string
        port: int32
        error_code: int16
        error_message: string | None = v(default="", ignorable=True)
