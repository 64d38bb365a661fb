"""ListGroups (API 16): the groups that a broker coordinates. Ask every broker for all groups."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class ListGroupsRequest(Message, key=16, versions="0-5", flexible="3+"):
    """List groups, of certain states (v4, KIP-518) and types (v5, KIP-848); an empty filter takes all."""

    states_filter: list[string] = v("4+", default=[])
    types_filter: list[string] = v("5+", default=[])


class ListGroupsResponse(Message, key=16, versions="0-5", flexible="3+"):
    """Id, protocol type, state and type ("classic", "consumer", "share", "streams") of each group."""

    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16
    groups: list[ListedGroup]

    class ListedGroup(Struct):
        group_id: string
        protocol_type: string
        group_state: string = v("4+", default="", ignorable=True)
        group_type: string = v("5+", default="", ignorable=True)
