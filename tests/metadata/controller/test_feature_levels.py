"""Updates of feature levels: what is refused in which words (those of Kafka 4.3.1), and what is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.update_features import UpdateFeaturesRequest
from klamm.metadata.controller.feature_levels import SAFE_DOWNGRADE, UNSAFE_DOWNGRADE, UPGRADE, FeatureControl
from klamm.metadata.features import BOOTSTRAP, ELR_VERSION, SUPPORTED, default_levels
from klamm.metadata.image.cluster import ControllerRegistration, VersionRange
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage

Update = UpdateFeaturesRequest.FeatureUpdateKey
WHOLE = "The update failed for all features since the following feature had an error: "


class Quorum:
    """A quorum at one level; `asked` are the upgrades that came."""

    def __init__(self, kraft_version: int = 1, error: KafkaError | None = None) -> None:
        self.kraft_version = kraft_version
        self.error = error
        self.asked: list[tuple[int, bool]] = []

    def upgrade_kraft_version(self, kraft_version: int, validate_only: bool) -> None:
        self.asked.append((kraft_version, validate_only))
        if self.error is not None:
            raise self.error


def broker(broker_id: int, **ranges: tuple[int, int]) -> m.RegisterBrokerRecord:
    offered = {**SUPPORTED, **{name.replace("_", "."): VersionRange(*r) for name, r in ranges.items()}}
    return m.RegisterBrokerRecord(
        broker_id=broker_id,
        incarnation_id=bytes(16),
        broker_epoch=broker_id,
        end_points=[],
        features=[
            m.RegisterBrokerRecord.BrokerFeature(name=n, min_supported_version=r[0], max_supported_version=r[1])
            for n, r in offered.items()
        ],
        rack=None,
    )


def image(levels: Mapping[str, int] = BOOTSTRAP, *more: Any) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    for name, level in levels.items():
        delta.apply(m.FeatureLevelRecord(name=name, feature_level=level))
    for record in (broker(1), *more):
        delta.apply(record)
    return delta.build(9, 1)


def decide(
    state: MetadataImage,
    *updates: tuple[str, int, int],
    validate_only: bool = False,
    quorum: Quorum | None = None,
    static_voters: tuple[int, ...] = (),
    static_configs: Mapping[str, str] = {},
) -> Any:
    request = UpdateFeaturesRequest(
        feature_updates=[Update(feature=f, max_version_level=level, upgrade_type=how) for f, level, how in updates],
        validate_only=validate_only,
    )
    control = FeatureControl(lambda: state, 1, static_configs, quorum or Quorum(), static_voters)
    return control.update(request)


def written(decision: Any) -> list[tuple[str, int]]:
    return [(r.name, r.feature_level) for r in decision.records if isinstance(r, m.FeatureLevelRecord)]


def refusal(decision: Any) -> str:
    response = decision.response
    assert response.error_code == errors.INVALID_UPDATE_VERSION and not decision.records and not response.results
    assert response.error_message.startswith(WHOLE)
    return str(response.error_message.removeprefix(WHOLE))


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        (("group.version", 1, 0), "The controller does not support the given upgrade type."),
        (("group.version", -1, 4), "The controller does not support the given upgrade type."),
        (("group.version", -1, SAFE_DOWNGRADE), "A feature version cannot be less than 0."),
        (("group.version", 2, UPGRADE), "Local controller 1 only supports versions 0-1"),
        (("group.version", 2, SAFE_DOWNGRADE), "Local controller 1 only supports versions 0-1"),
        (("no.such", 1, UPGRADE), "Local controller 1 does not support this feature."),
        (("no.such", 0, SAFE_DOWNGRADE), "Feature no.such not found."),
        (("metadata.version", 6, SAFE_DOWNGRADE), "Local controller 1 only supports versions 7-30"),
        (("metadata.version", 31, UPGRADE), "Local controller 1 only supports versions 7-30"),
        (
            ("group.version", 0, UPGRADE),
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe "
            "downgrade.",
        ),
        (("kraft.version", 0, SAFE_DOWNGRADE), "Can't downgrade the version of this feature."),
    ],
)
def test_refusals(update: tuple[str, int, int], reason: str) -> None:
    expected = f"Invalid update version {update[1]} for feature {update[0]}. {reason}"
    assert refusal(decide(image(), update)) == expected
    assert refusal(decide(image(), update, validate_only=True)) == expected


def test_no_downgrade_to_a_newer_level() -> None:
    state = image(default_levels(25))
    for how in (SAFE_DOWNGRADE, UNSAFE_DOWNGRADE):
        assert refusal(decide(state, ("share.version", 1, how))).endswith("Can't downgrade to a newer version.")


@pytest.mark.parametrize(
    ("levels", "to", "how", "reason"),
    [
        (BOOTSTRAP, 29, SAFE_DOWNGRADE, "Refusing to perform the requested downgrade because it might delete metadata"),
        (BOOTSTRAP, 29, UNSAFE_DOWNGRADE, "Unsafe metadata downgrade is not supported in this version."),
        (default_levels(29), 23, SAFE_DOWNGRADE, None),
        (default_levels(29), 22, SAFE_DOWNGRADE, "Refusing to perform the requested downgrade"),
        (
            default_levels(22),
            21,
            SAFE_DOWNGRADE,
            "The active controller writes metadata.version 22 (4.0-IV0) and later",
        ),
        (default_levels(22), 30, UPGRADE, None),
        (BOOTSTRAP, 30, UNSAFE_DOWNGRADE, None),
    ],
)
def test_metadata_version(levels: Mapping[str, int], to: int, how: int, reason: str | None) -> None:
    decision = decide(image(levels), ("metadata.version", to, how))
    if reason is None:
        assert decision.response.error_code == errors.NONE
        assert written(decision) == [("metadata.version", to)]
    else:
        assert reason in refusal(decision)


def test_every_node_must_support_the_level() -> None:
    old = broker(2, share_version=(0, 0), metadata_version=(7, 29), streams_version=(1, 1))
    state = image(default_levels(27), old)
    assert refusal(decide(state, ("share.version", 1, UPGRADE))).endswith("Broker 2 does not support this feature.")
    assert refusal(decide(state, ("metadata.version", 30, UPGRADE))).endswith("Broker 2 only supports versions 7-29")
    assert refusal(decide(state, ("streams.version", 0, UPGRADE))).endswith("Broker 2 only supports versions 1")
    assert decide(state, ("metadata.version", 29, UPGRADE)).response.error_code == errors.NONE


def test_every_controller_must_have_registered() -> None:
    own = ControllerRegistration(1, bytes(16), {}, {}).to_record()  # what it says of itself is not asked
    old = ControllerRegistration(3, bytes(16), {}, {"metadata.version": VersionRange(7, 27)}).to_record()
    state = image(default_levels(27), own, old)
    update = ("share.version", 1, UPGRADE)
    assert refusal(decide(state, update)).endswith("Controller 3 does not support this feature.")
    known = image(default_levels(27), own)
    assert decide(known, update, static_voters=(1,)).response.error_code == errors.NONE
    reason = "controller 4 has not registered, and may not support this feature"
    assert refusal(decide(known, update, static_voters=(1, 4))).endswith(reason)


def test_dependency_may_come_with_the_same_request() -> None:
    state = image(default_levels(22))
    reason = f"{ELR_VERSION} could not be set to 1 because it depends on metadata.version level 23"
    assert refusal(decide(state, (ELR_VERSION, 1, UPGRADE))).endswith(reason)
    both = decide(state, (ELR_VERSION, 1, UPGRADE), ("metadata.version", 30, UPGRADE))
    assert sorted(written(both)) == [(ELR_VERSION, 1), ("metadata.version", 30)]


def test_all_or_nothing_and_results_of_each() -> None:
    state = image()
    failed = decide(state, ("group.version", 0, SAFE_DOWNGRADE), ("streams.version", 7, UPGRADE))
    assert "streams.version" in refusal(failed)
    done = decide(state, ("group.version", 0, SAFE_DOWNGRADE), ("streams.version", 1, UPGRADE))
    assert [(r.feature, r.error_code, r.error_message) for r in done.response.results] == [
        ("group.version", 0, "NONE"),
        ("streams.version", 0, "NONE"),
    ]
    assert done.response.error_message is None
    # In the order of Kafka's map; a level that is there already is written again.
    assert written(done) == [("group.version", 0), ("streams.version", 1)]
    assert not decide(state, ("group.version", 0, SAFE_DOWNGRADE), validate_only=True).records
    assert decide(state).response.error_code == errors.NONE


def test_the_first_error_is_that_of_kafkas_map() -> None:
    decision = decide(image(), ("transaction.version", 7, UPGRADE), ("group.version", 7, UPGRADE))
    assert "for feature group.version." in refusal(decision)


def test_the_last_update_of_a_feature_counts() -> None:
    decision = decide(image(), ("group.version", 7, UPGRADE), ("group.version", 0, SAFE_DOWNGRADE))
    assert written(decision) == [("group.version", 0)]
    assert [r.feature for r in decision.response.results] == ["group.version"] * 2


def min_insync(resource: str, value: str) -> m.ConfigRecord:
    return m.ConfigRecord(resource_type=4, resource_name=resource, name="min.insync.replicas", value=value)


def test_elr_needs_one_minimum_for_the_cluster() -> None:
    levels = {**BOOTSTRAP, ELR_VERSION: 0}
    state = image(levels, min_insync("10", "2"), min_insync("9", "3"))
    on = ((ELR_VERSION, 1, UPGRADE),)
    decision = decide(state, *on, static_configs={"min.insync.replicas": "2"})
    configs = [r for r in decision.records if isinstance(r, m.ConfigRecord)]
    assert [(r.resource_type, r.resource_name, r.value) for r in configs] == [
        (4, "", "2"),
        (4, "9", None),
        (4, "10", None),
    ]
    assert decision.records[-1] == m.FeatureLevelRecord(name=ELR_VERSION, feature_level=1)
    assert not decide(state, *on, validate_only=True).records
    assert [r.value for r in decide(image(levels), *on).records[:1]] == ["1"]
    there = image(levels, min_insync("", "3"))
    assert decide(there, *on).records == [m.FeatureLevelRecord(name=ELR_VERSION, feature_level=1)]
    off = decide(image(), (ELR_VERSION, 0, SAFE_DOWNGRADE))
    assert off.records == [m.FeatureLevelRecord(name=ELR_VERSION, feature_level=0)]


@pytest.mark.parametrize("validate_only", [False, True])
def test_kraft_version_is_the_quorums(validate_only: bool) -> None:
    quorum = Quorum(0)
    decision = decide(image(), ("kraft.version", 1, UPGRADE), quorum=quorum, validate_only=validate_only)
    assert quorum.asked == [(1, validate_only)]
    assert decision.response.error_code == errors.NONE
    assert [type(r) for r in decision.records] == ([] if validate_only else [m.NoOpRecord])
    failing = Quorum(0, KafkaError(errors.UNSUPPORTED_VERSION, "not all voters can"))
    response = decide(image(), ("kraft.version", 1, UPGRADE), quorum=failing).response
    assert (response.error_code, response.error_message) == (errors.UNSUPPORTED_VERSION, WHOLE + "not all voters can")


def test_downgrade_of_kraft_version_to_where_it_is() -> None:
    quorum = Quorum(1)
    decision = decide(image(), ("kraft.version", 1, SAFE_DOWNGRADE), quorum=quorum)
    assert decision.response.error_code == errors.NONE and not decision.records and not quorum.asked
