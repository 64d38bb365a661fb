"""UpdateFeatures (API 57): raise or lower feature levels such as metadata.version (KIP-584)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class UpdateFeaturesRequest(Message, key=57, versions="0-2", flexible="0+"):
    """New levels; 0 removes a feature.

    `upgrade_type` (v1, KIP-778): 1 only upward, 2 downward if nothing is lost, 3 downward at any cost. `validate_only`
    changes nothing.
    """

    timeout_ms: int32 = 60000
    feature_updates: list[FeatureUpdateKey]
    validate_only: bool = v("1+", default=False)

    class FeatureUpdateKey(Struct):
        feature: string
        max_version_level: int16
        allow_downgrade: bool = v("0", default=False)
        upgrade_type: int8 = v("1+", default=1)


class UpdateFeaturesResponse(Message, key=57, versions="0-2", flexible="0+"):
    """One error for all updates; up to v1 also one for each feature."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    results: list[UpdatableFeatureResult] = v("0-1", default=[], ignorable=True)

    class UpdatableFeatureResult(Struct):
        feature: string
        error_code: int16
        error_message: string | None
