"""What the loader makes of levels that klamm does not read: it stops before it shows an image of them."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto.errors import ProtocolError
from klamm.kproto.metadata_records import FeatureLevelRecord, NoOpRecord
from klamm.metadata.image.image import EMPTY
from klamm.metadata.loader import MetadataLoader
from klamm.metadata.log_replay import LogReplay
from klamm.metadata.snapshot_file import Snapshot, SnapshotId, decode_snapshot, encode_snapshot

UNREADABLE = [(16, "3.7-IV1"), (31, "31")]


def level(number: int) -> FeatureLevelRecord:
    return FeatureLevelRecord(name="metadata.version", feature_level=number)


def snapshot(number: int) -> Snapshot:
    return decode_snapshot(encode_snapshot([level(number)], 30, timestamp_ms=1), "snapshot")


@pytest.mark.parametrize(("number", "name"), UNREADABLE)
def test_a_snapshot_at_such_a_level_is_refused(number: int, name: str) -> None:
    loader = MetadataLoader()
    loader.replace(SnapshotId(5, 1), snapshot(17))
    before = loader.image
    with pytest.raises(ProtocolError, match=rf"metadata\.version {name}; klamm reads 3\.7-IV2 to 4\.3-IV0"):
        loader.replace(SnapshotId(9, 1), snapshot(number))
    assert loader.image is before and before.metadata_version == 17


@pytest.mark.parametrize(("number", "name"), UNREADABLE)
def test_files_at_such_a_level_are_refused(number: int, name: str) -> None:
    replay = LogReplay()
    replay.load_snapshot(SnapshotId(5, 1), snapshot(number))
    loader = MetadataLoader()
    with pytest.raises(ProtocolError, match=name):
        loader.begin(replay)
    assert loader.image is EMPTY


@pytest.mark.parametrize(("number", "name"), UNREADABLE)
async def test_a_log_that_goes_to_such_a_level_is_followed_no_further(lab: Any, number: int, name: str) -> None:
    running = await lab.start()
    log = running.node.log
    loader = MetadataLoader()
    seen: list[int] = []
    loader.add_publisher(lambda delta, image: seen.append(image.metadata_version))
    loader.follow(log.log, log.high_watermark)
    log.append([level(number)], 30)
    log.append([NoOpRecord()], 30)
    with pytest.raises(ProtocolError, match=name):
        loader.follow(log.log, log.end_offset)
    assert seen == [30] and loader.image.metadata_version == 30
