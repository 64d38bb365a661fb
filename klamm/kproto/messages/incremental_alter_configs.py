"""IncrementalAlterConfigs: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class IncrementalAlterConfigsRequest(Message, key=44, versions="0-1", flexible="1+"):
    resources: list[AlterConfigsResource]
    validate_only: bool

    class AlterConfigsResource(Struct):
        resource_type: int8
        resource_name: string
        configs: list[AlterableConfig]

        class AlterableConfig(Struct):
            name: string
            config_operation: int8
            value: string | None


class IncrementalAlterConfigsResponse(Message, key=44, versions="0-1", flexible="1+"):
    throttle_time_ms: int32
    responses: list[AlterConfigsResourceResponse]

    class AlterConfigsResourceResponse(Struct):
        error_code: int16
        error_message: string | None
        resource_type: int8
        resource_name: string
