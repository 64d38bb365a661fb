"""DeleteGroups: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string


class DeleteGroupsRequest(Message, key=42, versions="0-2", flexible="2+"):
    groups_names: list[string]


class DeleteGroupsResponse(Message, key=42, versions="0-2", flexible="2+"):
    throttle_time_ms: int32
    results: list[DeletableGroupResult]

    class DeletableGroupResult(Struct):
        group_id: string
        error_code: int16
