"""DescribeConfigs (API 32): settings of topics, brokers, groups and client metrics subscriptions."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class DescribeConfigsRequest(Message, key=32, versions="1-4", flexible="4+"):
    """Ask for settings; `configuration_keys` null for all of a resource's.

    `resource_type`: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group. For a broker, an empty
    `resource_name` means the default of all brokers. `include_documentation` came with v3 (KIP-569).
    """

    resources: list[DescribeConfigsResource]
    include_synonyms: bool = False
    include_documentation: bool = v("3+", default=False)

    class DescribeConfigsResource(Struct):
        resource_type: int8
        resource_name: string
        configuration_keys: list[string] | None


class DescribeConfigsResponse(Message, key=32, versions="1-4", flexible="4+"):
    """The settings with where they come from. A sensitive one has a null value.

    `config_source`: 1 topic, 2 dynamic broker, 3 dynamic default of all brokers, 4 static broker (its file), 5 default,
    6 logger, 7 client metrics, 8 group. `synonyms` are all values that stand behind each other, the one that counts
    first (KIP-226). `config_type` (v3, KIP-569): 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8
    class, 9 password.
    """

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
