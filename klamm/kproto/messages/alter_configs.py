"""AlterConfigs (API 33): replace all settings of a resource (KIP-133). IncrementalAlterConfigs has superseded it."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class AlterConfigsRequest(Message, key=33, versions="0-2", flexible="2+"):
    """Every setting that is not named goes back to its default. `resource_type` as in DescribeConfigs."""

    resources: list[AlterConfigsResource]
    validate_only: bool

    class AlterConfigsResource(Struct):
        resource_type: int8
        resource_name: string
        configs: list[AlterableConfig]

        class AlterableConfig(Struct):
            name: string
            value: string | None


class AlterConfigsResponse(Message, key=33, versions="0-2", flexible="2+"):
    """An error for each resource."""

    throttle_time_ms: int32
    responses: list[AlterConfigsResourceResponse]

    class AlterConfigsResourceResponse(Struct):
        error_code: int16
        error_message: string | None
        resource_type: int8
        resource_name: string
