"""Large reads of a real file are views of its mapping: they outlive appends, rolls and truncations."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import records
from klamm.log import upkeep
from klamm.log.disk import RealDisk, RealFile
from klamm.log.partition_log import PartitionLog


@pytest.fixture
def log(lab: Any, tmp_path: Path) -> PartitionLog:
    lab.disk = RealDisk()
    log: PartitionLog = lab.open({"segment.bytes": 1 << 20}, log_dir=lab.log_dir(str(tmp_path)))
    for _ in range(20):
        append(lab, log)
    return log


def append(lab: Any, log: PartitionLog) -> None:
    lab.append(log, lab.batch(1, size=30_000))


def offsets(data: Any) -> list[int]:
    found = list(records.batches(data))
    for batch in found:
        records.validate_batch(batch.view)
    return [batch.base_offset for batch in found]


def read(log: PartitionLog, offset: int) -> memoryview:
    data = log.read(offset, 1 << 20).data
    assert isinstance(data, memoryview), "a copy"
    return data


def test_the_active_segment_is_mapped_as_far_as_it_is_written(lab: Any, log: PartitionLog) -> None:
    first = read(log, 0)
    append(lab, log)
    assert offsets(first) == list(range(20))
    assert offsets(read(log, 0)) == list(range(21))
    assert isinstance(log.read(18, 91_000).data, memoryview), "within the mapping"
    append(lab, log)
    assert offsets(log.read(21, 40_000).data) == [21], "behind it, and small"


def test_what_is_small_is_a_copy(log: PartitionLog) -> None:
    """It may be joined with other small answers, and only the kernel may touch what is mapped."""
    assert isinstance(log.read(0, 40_000).data, bytes)


def test_nothing_of_a_mapping_is_looked_at(lab: Any, log: PartitionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that the disk cannot read would end the process: a mapping that must not be read at all does for it."""
    while len(log.segments) < 3:
        append(lab, log)
    unreadable: list[mmap.mmap] = []

    def view(file: RealFile) -> memoryview:
        unreadable.append(mmap.mmap(-1, file.size(), prot=0))
        return memoryview(unreadable[-1])

    monkeypatch.setattr(RealFile, "view", view)
    for offset in range(log.log_end_offset):
        for max_bytes in (1, 40_000, 100_000, 300_000, 1 << 20):
            log.read(offset, max_bytes)
    assert len(unreadable) == 2


def test_a_segment_that_was_mapped_while_active_is_read_whole_when_sealed(lab: Any, log: PartitionLog) -> None:
    read(log, 0)
    while len(log.segments) == 1:
        append(lab, log)
    rolled_at = log.segments.last.base_offset
    assert rolled_at > 20
    assert offsets(read(log, 15)) == list(range(15, rolled_at))


def test_what_was_read_stays_when_the_log_is_cut_below_it(lab: Any, log: PartitionLog) -> None:
    held = read(log, 0)
    upkeep.truncate_to(log, 5)
    # The pages behind the cut are there: a shortened file would end the process here.
    assert offsets(held) == list(range(20))
    append(lab, log)
    assert offsets(read(log, 0)) == list(range(6))
    assert Path(log.active_segment.path).stat().st_size == log.active_segment.size
