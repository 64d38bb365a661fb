"""The tables of levels, compared with those of Kafka 4.3.1 (tests/data/features.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import metadata_records as m
from klamm.metadata import features
from klamm.metadata.record_codec import TYPES, record_version

KAFKA: Any = json.loads((Path(__file__).resolve().parents[1] / "data" / "features.json").read_text())
LEVELS = [row for row in KAFKA["metadataVersions"] if row["isProduction"]]
BY_NAME = {row["version"]: row["featureLevel"] for row in LEVELS}
WRITABLE = range(features.METADATA_VERSION_WRITABLE_MIN, features.METADATA_VERSION_LATEST + 1)


def test_names_of_the_levels() -> None:
    assert {row["featureLevel"]: row["version"] for row in LEVELS} == features.VERSION_NAMES


def test_what_is_offered() -> None:
    offered = {f["name"]: (f["supportedMin"], f["supportedMax"]) for f in KAFKA["features"]}
    assert {name: tuple(r) for name, r in features.SUPPORTED.items()} == {**offered, "metadata.version": (7, 30)}


@pytest.mark.parametrize("level", BY_NAME.values(), ids=str)
def test_levels_of_a_new_cluster(level: int) -> None:
    name = features.VERSION_NAMES[level]
    expected = {f["name"]: f["defaultLevelByMetadataVersion"][name] for f in KAFKA["features"]}
    del expected["kraft.version"]  # depends on the voters, not on the release
    assert features.default_levels(level) == {"metadata.version": level, **{k: v for k, v in expected.items() if v}}


def test_bootstrap_is_the_newest_release() -> None:
    assert features.default_levels(features.METADATA_VERSION_LATEST) == features.BOOTSTRAP


def test_dependencies() -> None:
    needed = {(f["name"], row["level"]): row["dependencies"] for f in KAFKA["features"] for row in f["levels"]}
    assert {key: value for key, value in needed.items() if value} == features.DEPENDENCIES


@pytest.mark.parametrize("level", WRITABLE)
def test_versions_of_the_records(level: int) -> None:
    """Of all record types only these depend on the level (MetadataVersion has a method for each)."""
    row = next(row for row in LEVELS if row["featureLevel"] == level)
    of = {
        m.PartitionRecord: row["partitionRecordVersion"],
        m.PartitionChangeRecord: row["partitionChangeRecordVersion"],
        m.RegisterBrokerRecord: row["registerBrokerRecordVersion"],
        m.RegisterControllerRecord: row["registerControllerRecordVersion"],
    }
    for cls in TYPES.values():
        blank: Any = cls.__new__(cls)
        for field in cls.__schema__.fields:
            setattr(blank, field.name, None)
        assert record_version(blank, level) == of.get(cls, 0), cls.__name__


@pytest.mark.parametrize("level", BY_NAME.values(), ids=str)
def test_registrations_at_every_level(level: int) -> None:
    row = next(row for row in LEVELS if row["featureLevel"] == level)
    record = m.RegisterBrokerRecord(broker_id=1, incarnation_id=bytes(16), broker_epoch=1)
    assert record_version(record, level) == row["registerBrokerRecordVersion"]
    assert features.is_elr_supported(level) is row["isElrSupported"]
    assert features.is_cordoned_log_dirs_supported(level) is row["isCordonedLogDirsSupported"]


def test_which_steps_lose_nothing() -> None:
    changed = {row["featureLevel"] for row in LEVELS if row["didMetadataChange"]}
    for high in BY_NAME.values():
        for low in BY_NAME.values():
            expected = not any(low < level <= high for level in changed)
            if low <= high:
                assert features.is_lossless(high, low) is features.is_lossless(low, high) is expected, (high, low)


@pytest.mark.parametrize(
    ("release", "level"),
    [("4.0", 25), ("4.1", 27), ("4.2", 29), ("4.3", 30), ("4.3.1", 30), ("4.0-IV0", 22), ("3.7-IV2", 17), ("3.9", 21)],
)
def test_releases(release: str, level: int) -> None:
    assert features.metadata_version_of(release) == level


@pytest.mark.parametrize("release", ["", "4", "4.4", "4.0-IV9", "3.2", "latest", "30"])
def test_releases_that_are_none(release: str) -> None:
    with pytest.raises(ValueError, match=r"known are 3\.3-IV3 to 4\.3-IV0"):
        features.metadata_version_of(release)


def test_what_can_be_read_and_written() -> None:
    readable = [level for level in range(33) if features.reason_not_readable(level) is None]
    writable = [level for level in range(33) if features.reason_not_writable(level) is None]
    assert readable == list(range(17, 31)) and writable == list(range(22, 31))
    assert (
        features.reason_not_readable(14) == "the cluster is at metadata.version 3.6-IV2; klamm reads 3.7-IV2 to 4.3-IV0"
    )
    assert features.reason_not_writable(31) == "the cluster is at metadata.version 31; klamm writes 4.0-IV0 to 4.3-IV0"
