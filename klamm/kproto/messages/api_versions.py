"""ApiVersions (API 18): what a broker speaks. Mostly the first request on a connection."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class ApiVersionsRequest(Message, key=18, versions="0-4", flexible="3+"):
    """Ask which APIs the broker serves, in which versions; v3 says which client software asks (KIP-511)."""

    client_software_name: string = v("3+", default="", ignorable=True)
    client_software_version: string = v("3+", default="", ignorable=True)


class ApiVersionsResponse(Message, key=18, versions="0-4", flexible="3+"):
    """Version ranges of the APIs, and the features of the cluster.

    A broker that lacks the version of the request answers in version 0 with UNSUPPORTED_VERSION and its range for
    ApiVersions; the client then asks again. `finalized_features_epoch` is -1 if the features are not known yet (v3,
    KIP-584). v4 may show features that begin at version 0.
    """

    error_code: int16
    api_keys: list[ApiVersion]
    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    supported_features: list[SupportedFeatureKey] = v("3+", default=[], tag=0, ignorable=True)
    finalized_features_epoch: int64 = v("3+", default=-1, tag=1, ignorable=True)
    finalized_features: list[FinalizedFeatureKey] = v("3+", default=[], tag=2, ignorable=True)
    zk_migration_ready: bool = v("3+", default=False, tag=3, ignorable=True)

    class ApiVersion(Struct):
        api_key: int16
        min_version: int16
        max_version: int16

    class SupportedFeatureKey(Struct):
        name: string
        min_version: int16
        max_version: int16

    class FinalizedFeatureKey(Struct):
        name: string
        max_version_level: int16
        min_version_level: int16
