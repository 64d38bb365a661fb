"""ListConfigResources: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class ListConfigResourcesRequest(Message, key=74, versions="0-1", flexible="0+"):
    resource_types: list[int8] = v("1+", default=[])


class ListConfigResourcesResponse(Message, key=74, versions="0-1", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    config_resources: list[ConfigResource]

    class ConfigResource(Struct):
        resource_name: string
        resource_type: int8 = v("1+", default=16, ignorable=True)
