"""ListConfigResources (API 74): which resources have settings."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class ListConfigResourcesRequest(Message, key=74, versions="0-1", flexible="0+"):
    """v0 lists client metrics subscriptions (KIP-1000); v1 the types asked for, or all of them (KIP-1142)."""

    resource_types: list[int8] = v("1+", default=[])


class ListConfigResourcesResponse(Message, key=74, versions="0-1", flexible="0+"):
    """Names and types; the numbers are those of DescribeConfigs."""

    throttle_time_ms: int32
    error_code: int16
    config_resources: list[ConfigResource]

    class ConfigResource(Struct):
        resource_name: string
        resource_type: int8 = v("1+", default=16, ignorable=True)
