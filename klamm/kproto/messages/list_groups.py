"""ListGroups: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class ListGroupsRequest(Message, key=16, versions="0-5", flexible="3+"):
    states_filter: list[string] = v("4+", default=[])
    types_filter: list[string] = v("5+", default=[])


class ListGroupsResponse(Message, key=16, versions="0-5", flexible="3+"):
    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16
    groups: list[ListedGroup]

    class ListedGroup(Struct):
        group_id: string
        protocol_type: string
        group_state: string = v("4+", default="", ignorable=True)
        group_type: string = v("5+", default="", ignorable=True)
