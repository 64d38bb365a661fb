"""UpdateFeatures: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class UpdateFeaturesRequest(Message, key=57, versions="0-2", flexible="0+"):
    timeout_ms: int32 = 60000
    feature_updates: list[FeatureUpdateKey]
    validate_only: bool = v("1+", default=False)

    class FeatureUpdateKey(Struct):
        feature: string
        max_version_level: int16
        allow_downgrade: bool = v("0", default=False)
        upgrade_type: int8 = v("1+", default=1)


class UpdateFeaturesResponse(Message, key=57, versions="0-2", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    results: list[UpdatableFeatureResult] = v("0-1", default=[], ignorable=True)

    class UpdatableFeatureResult(Struct):
        feature: string
        error_code: int16
        error_message: string | None
