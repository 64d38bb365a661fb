"""AlterClientQuotas (API 49): set or remove quotas of users, clients and addresses (KIP-546)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, float64, int16, int32, string


class AlterClientQuotasRequest(Message, key=49, versions="0-1", flexible="1+"):
    """For each entity, keys to set or, with `remove`, to drop. An `entity_name` of null is the default entity."""

    entries: list[EntryData]
    validate_only: bool

    class EntryData(Struct):
        entity: list[EntityData]
        ops: list[OpData]

        class EntityData(Struct):
            entity_type: string
            entity_name: string | None

        class OpData(Struct):
            key: string
            value: float64
            remove: bool


class AlterClientQuotasResponse(Message, key=49, versions="0-1", flexible="1+"):
    """An error for each entity."""

    throttle_time_ms: int32
    entries: list[EntryData]

    class EntryData(Struct):
        error_code: int16
        error_message: string | None
        entity: list[EntityData]

        class EntityData(Struct):
            entity_type: string
            entity_name: string | None
