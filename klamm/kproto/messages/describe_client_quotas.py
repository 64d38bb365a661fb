"""DescribeClientQuotas (API 48): quotas of users, clients and addresses (KIP-546)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, float64, int8, int16, int32, string


class DescribeClientQuotasRequest(Message, key=48, versions="0-1", flexible="1+"):
    """A filter on entities.

    `entity_type`: "user", "client-id" or "ip". `match_type`: 0 this name, 1 the default entity, 2 any name. `strict`
    leaves out entities that have other types besides.
    """

    components: list[ComponentData]
    strict: bool

    class ComponentData(Struct):
        entity_type: string
        match_type: int8
        match: string | None


class DescribeClientQuotasResponse(Message, key=48, versions="0-1", flexible="1+"):
    """Entities and their quotas by key, such as producer_byte_rate. An `entity_name` of null is the default entity."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    entries: list[EntryData] | None

    class EntryData(Struct):
        entity: list[EntityData]
        values: list[ValueData]

        class EntityData(Struct):
            entity_type: string
            entity_name: string | None

        class ValueData(Struct):
            key: string
            value: float64
