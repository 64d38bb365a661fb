"""What a segment is begun with: preallocated space, and index settings that a change of the topic leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.log import upkeep
from klamm.log.io_thread import DeferredIo
from klamm.log.log_config import LogConfig


def test_index_settings_are_those_at_the_begin_of_a_segment(lab: Any) -> None:
    log = lab.open()
    lab.append(log)
    log.config = LogConfig({"index.interval.bytes": 0, "segment.index.bytes": 800})
    for _ in range(5):
        lab.append(log)
    assert len(log.active_segment.offset_index) == 0
    upkeep.roll(log)
    for _ in range(5):
        lab.append(log)
    assert len(log.active_segment.offset_index) == 4
    log.config = LogConfig()
    for _ in range(5):
        lab.append(log)
    assert len(log.active_segment.offset_index) == 9


def test_space_is_preallocated_for_every_new_segment_and_given_back_when_it_is_sealed(lab: Any) -> None:
    log = lab.open({"preallocate": "true", "segment.bytes": 5000})
    first = log.active_segment.path
    assert lab.disk.size(first) == 5000
    lab.append(log)
    assert lab.disk.size(first) == 5000
    used = log.active_segment.size
    second = upkeep.roll(log).path
    assert (lab.disk.size(first), lab.disk.size(second)) == (used, 5000)
    upkeep.truncate_fully(log, 7)
    third = log.active_segment.path
    assert lab.disk.size(third) == 5000
    lab.append(log)
    upkeep.close(log)
    assert lab.disk.size(third) == used
    assert lab.open(is_clean=True, log_start_offset=7).log_end_offset == 8


def test_a_power_cut_undoes_the_trim_of_a_synced_segment(lab: Any) -> None:
    """The recovery point was the end of the log when it rolled: the segment that it sealed is not read again."""
    config = {"preallocate": "true", "segment.bytes": 5000}
    log = lab.open(config)
    lab.append(log, lab.batch(2))
    sealed = log.active_segment
    used = sealed.size
    upkeep.roll(log)
    lab.disk.open(sealed.path).truncate(5000)
    again = lab.open(config, recovery_point=2)
    assert lab.disk.size(sealed.path) == used
    assert [segment.size for segment in again.segments] == [used, 0]
    assert again.log_end_offset == 2


def test_deleted_records_never_take_the_active_segment_along(lab: Any) -> None:
    log = lab.open({"segment.bytes": 300})
    for _ in range(5):
        lab.append(log, lab.batch(2, size=60))
    assert len(log.segments) == 5
    assert upkeep.delete_records(log, -1) == 10
    assert upkeep.delete_old_segments(log, 0) == 4
    assert [segment.base_offset for segment in log.segments] == [8]
    assert (log.log_start_offset, log.log_end_offset) == (10, 10)
    log.config = LogConfig({"segment.bytes": 300, "retention.bytes": 0})
    assert upkeep.delete_old_segments(log, 0) == 1, "retention rolls it and takes it"
    assert [segment.base_offset for segment in log.segments] == [10]


def test_a_segment_that_is_deleted_before_its_indexes_are_written_leaves_none(lab: Any) -> None:
    lab.flusher = DeferredIo()
    log = lab.open({"segment.bytes": 300, "retention.bytes": 0, "index.interval.bytes": 0})
    for _ in range(4):
        lab.append(log, lab.batch(2, size=60))
    assert upkeep.delete_old_segments(log, 0) == 4
    lab.flusher.run_all()
    names = lab.disk.list_directory(log.directory)
    assert [name for name in names if name.endswith((".index", ".timeindex"))] == []
    assert len([name for name in names if name.endswith(".log.deleted")]) == 4


def test_an_index_may_go_while_its_segment_is_deleted(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flusher takes the index away again when it finds that the segment has gone."""
    rename = lab.disk.rename

    def rename_late(source: str, target: str) -> None:
        if source.endswith(".index"):
            lab.disk.remove(source)
        rename(source, target)

    log = lab.open({"segment.bytes": 300, "retention.bytes": 0, "index.interval.bytes": 0})
    for _ in range(4):
        lab.append(log, lab.batch(2, size=60))
    monkeypatch.setattr(lab.disk, "rename", rename_late)
    assert upkeep.delete_old_segments(log, 0) == 4
    assert log.log_dir.failure is None
