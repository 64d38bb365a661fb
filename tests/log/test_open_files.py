"""Descriptors: a log with many segments holds few open, whether they are read or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import records
from klamm.log import upkeep
from klamm.log.disk import RealDisk
from klamm.log.io_thread import DeferredIo
from klamm.log.open_segments import OPENED
from klamm.log.partition_log import LARGE_WRITE_BYTES

SEGMENTS = 120
OPEN_MAX = 10


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPENED, "limit", OPEN_MAX)
    OPENED._held.clear()


@pytest.fixture
def log(lab: Any, tmp_path: Path) -> Any:
    lab.disk = RealDisk()
    log = lab.open({"segment.bytes": 80_000}, log_dir=lab.log_dir(str(tmp_path)))
    for _ in range(SEGMENTS):
        lab.append(log, lab.batch(2, size=35_000))
    assert len(log.segments) == SEGMENTS
    yield log
    log.close_files()


def test_sealed_segments_hold_no_descriptor(lab: Any, log: Any) -> None:
    before = descriptors()
    for _ in range(20):
        lab.append(log, lab.batch(2, size=35_000))
    assert descriptors() == before


def test_segments_that_are_read_hold_a_few(log: Any, few: None) -> None:
    before = descriptors()
    kept = []
    for turn in range(2):
        for offset in range(0, 2 * SEGMENTS, 2):
            data = log.read(offset, 1 << 20).data
            if turn == 0 and offset < 10:
                kept.append(data)
            batch = next(records.batches(data))
            records.validate_batch(batch.view)
            assert batch.base_offset == offset
    assert len(OPENED) == OPEN_MAX
    assert descriptors() <= before + 2 * OPEN_MAX + len(kept), "what readers still hold, and what is mapped"
    assert [next(records.batches(data)).base_offset for data in kept] == [0, 2, 4, 6, 8], "views outlive their mapping"
    del kept, data, batch
    assert descriptors() <= before + 2 * OPEN_MAX


def test_views_of_deleted_segments_are_read_to_their_end(log: Any, few: None) -> None:
    before = descriptors()
    held = [log.read(offset, 1 << 20).data for offset in (0, 2, 4)]
    upkeep.delete_records(log, -1)
    assert upkeep.delete_old_segments(log, 0) >= SEGMENTS - 1
    for offset, data in zip((0, 2, 4), held, strict=True):
        batch = next(records.batches(data))
        records.validate_batch(batch.view)
        assert batch.base_offset == offset
    del held, data, batch
    assert descriptors() <= before + 1, "the mappings of what was deleted are gone with the last view"


def test_a_segment_that_was_mapped_is_never_cut_in_place(lab: Any, log: Any, few: None) -> None:
    held = log.read(0, 1 << 20).data
    for offset in range(2, 40, 2):
        log.read(offset, 1 << 20)
    assert log.segments[0]._view is None, "its mapping has been let go"
    whole = bytes(held)
    upkeep.truncate_to(log, 1)
    assert bytes(held) == whole and log.log_end_offset == 0


def test_a_sealed_segment_is_closed_behind_its_last_pending_write(lab: Any, tmp_path: Path) -> None:
    lab.disk, lab.writer = RealDisk(), DeferredIo()
    log = lab.open({"segment.bytes": 3 * LARGE_WRITE_BYTES}, log_dir=lab.log_dir(str(tmp_path)))
    large = [lab.batch(1, size=LARGE_WRITE_BYTES) for _ in range(4)]
    for batch in large:
        log.append_as_leader(batch, 0, now_ms=lab.clock.time_ms())
    first, second = log.segments
    assert first.is_sealed and first._file is not None
    lab.writer.run_one()
    assert first._file is not None, "another write waits"
    lab.writer.run_one()
    assert first._file is None
    lab.writer.run_all()
    assert second._file is not None
    log.advance_high_watermark()
    assert [batch.base_offset for batch in records.batches(log.read(0, 1 << 30).data)] == [0, 1]
