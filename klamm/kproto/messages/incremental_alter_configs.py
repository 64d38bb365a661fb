"""IncrementalAlterConfigs (API 44): change single settings (KIP-339)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string


class IncrementalAlterConfigsRequest(Message, key=44, versions="0-1", flexible="1+"):
    """Change settings and leave the others alone; `validate_only` changes nothing.

    `config_operation`: 0 set, 1 delete (back to the default), 2 append to a list, 3 subtract from a list.
    `resource_type` as in DescribeConfigs.
    """

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
    """An error for each resource; a resource is changed wholly or not at all."""

    throttle_time_ms: int32
    responses: list[AlterConfigsResourceResponse]

    class AlterConfigsResourceResponse(Struct):
        error_code: int16
        error_message: string | None
        resource_type: int8
        resource_name: string
