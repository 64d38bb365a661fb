"""UpdateFeatures over the wire: who gets a result for each feature, and what ApiVersions tells afterwards."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.kproto.messages.update_features import UpdateFeaturesRequest, UpdateFeaturesResponse
from klamm.testing.wire import WireClient

FEATURE = "share.version"
Update = UpdateFeaturesRequest.FeatureUpdateKey


def update(wire: WireClient, version: int, level: int, upgrade_type: int = 1, **more: bool) -> UpdateFeaturesResponse:
    rows = [Update(feature=FEATURE, max_version_level=level, upgrade_type=upgrade_type)]
    return wire.ask(UpdateFeaturesRequest(feature_updates=rows, **more), version, UpdateFeaturesResponse)


def finalized(wire: WireClient) -> int:
    told = wire.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 4, ApiVersionsResponse)
    return {row.name: row.max_version_level for row in told.finalized_features}.get(FEATURE, 0)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_results_until_version_1(wire: WireClient, version: int) -> None:
    done = update(wire, version, 1)
    assert done.error_code == errors.NONE
    assert [row.feature for row in done.results] == ([FEATURE] if version < 2 else [])
    failed = update(wire, version, 7)
    assert (failed.error_code, failed.results) == (errors.INVALID_UPDATE_VERSION, [])
    assert "only supports versions 0-1" in str(failed.error_message)


def test_levels_are_finalized(wire: WireClient) -> None:
    assert update(wire, 1, 0, 2, validate_only=True).error_code == errors.NONE
    assert finalized(wire) == 1
    assert update(wire, 2, 0, 2).error_code == errors.NONE
    assert finalized(wire) == 0
    assert update(wire, 2, 1).error_code == errors.NONE
    assert finalized(wire) == 1
