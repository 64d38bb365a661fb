"""DescribeConfigs: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class DescribeConfigsRequest(Message, key=32, versions="1-4", flexible="4+"):
    resources: list[DescribeConfigsResource]
    include_synonyms: bool = False
    include_documentation: bool = v("3+", default=False)

    class DescribeConfigsResource(Struct):
        resource_type: int8
        resource_name: string
        configuration_keys: list[string] | None


class DescribeConfigsResponse(Message, key=32, versions="1-4", flexible="4+"):
    throttle_time_ms: int32
    results: list[DescribeConfigsResult]

    class DescribeConfigsResult(Struct):
        error_code: int16
        error_message: string | None
        resource_type: int8
        resource_name: string
        configs: list[DescribeConfigsResourceResult]

        class DescribeConfigsResourceResult(Struct):
            name: string
            value: string | None
            read_only: bool
            config_source: int8 = v(default=-1, ignorable=True)
            is_sensitive: bool
            synonyms: list[DescribeConfigsSynonym] = v(default=[], ignorable=True)
            config_type: int8 = v("3+", default=0, ignorable=True)
            documentation: string | None = v("3+", default="", ignorable=True)

            class DescribeConfigsSynonym(Struct):
                name: string
                value: string | None
                source: int8
