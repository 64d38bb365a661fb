"""DeleteGroups (API 42): delete empty groups and their offsets (KIP-229)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string


class DeleteGroupsRequest(Message, key=42, versions="0-2", flexible="2+"):
    """Groups by id."""

    groups_names: list[string]


class DeleteGroupsResponse(Message, key=42, versions="0-2", flexible="2+"):
    """An error for each group: NON_EMPTY_GROUP while it has members."""

    throttle_time_ms: int32
    results: list[DeletableGroupResult]

    class DeletableGroupResult(Struct):
        group_id: string
        error_code: int16
