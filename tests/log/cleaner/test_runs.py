"""The log cleaner on whole logs: which is chosen, what readers see, what ends a pass, what is remembered."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest

from klamm.kproto import records
from klamm.kproto.records import Record, build_batch
from klamm.log import checkpoint, upkeep
from klamm.log.cleaner.log_cleaner import LogCleaner
from klamm.log.cleaner.plan import CleanerSettings, dirtiness, is_due
from klamm.log.io_thread import DeferredIo, InlineIo, IoThread
from klamm.log.log_config import LogConfig
from klamm.log.log_dirs import LogDirs
from klamm.log.partition_log import PartitionLog
from tests.clock import START_MS
from tests.log.conftest import Lab

CONFIG: dict[str, Any] = {
    "cleanup.policy": "compact",
    "internal.segment.bytes": 1000,
    "min.cleanable.dirty.ratio": 0.1,
    "file.delete.delay.ms": 60_000,
    "segment.ms": 1 << 60,
}
SETTINGS = CleanerSettings(backoff_ms=1000)
TOPIC_ID = bytes(15) + b"\1"
OFFSETS = "/data/cleaner-offset-checkpoint"


class Cleaning:
    """Log directories with a cleaner whose thread runs inline, unless another is given."""

    def __init__(
        self, lab: Lab, config: dict[str, Any] | None = None, *, thread: IoThread | None = None,
        settings: CleanerSettings = SETTINGS, paths: tuple[str, ...] = ("/data",),
    ) -> None:  # fmt: skip
        self.lab = lab
        self.dirs: LogDirs = lab.dirs(*paths)
        self.dirs.open()
        self.dirs.load(lambda topic: LogConfig(CONFIG | (config or {})))
        for log in self.dirs.logs.values():
            log.advance_high_watermark()
        self.config = CONFIG | (config or {})
        self.cleaner = self.dirs.cleaner = LogCleaner(
            self.dirs, settings, lambda name: InlineIo() if thread is None else thread
        )
        self.cleaner.start()

    def log(self, topic: str = "t", **config: Any) -> PartitionLog:
        found = self.dirs.get(topic, 0)
        return found or self.dirs.create(topic, 0, TOPIC_ID, LogConfig(self.config | config))

    def write(self, log: PartitionLog, keys: str, *, size: int = 200, **fields: Any) -> None:
        """A batch of one record for each letter."""
        for key in keys:
            now_ms = self.lab.clock.time_ms()
            record = Record(0, now_ms, key.encode(), key.encode() * size)
            batch = memoryview(bytearray(build_batch([record], base_offset=0, **fields)))
            self.lab.append(log, batch)

    def pass_over(self) -> None:
        self.lab.clock.advance(1000)


@pytest.fixture
def cleaning(lab: Lab) -> Cleaning:
    return Cleaning(lab)


def keys(log: PartitionLog, start: int = 0) -> str:
    """The keys that a consumer reads, from the start on."""
    found = []
    offset = max(start, log.log_start_offset)
    while offset < log.high_watermark:
        data = log.read(offset, 1 << 20).data
        if not data:
            break
        for batch in records.batches(data):
            found += [r for r in records.iter_records(batch) if r.offset >= offset]
            offset = batch.next_offset
    return "".join((r.key or b"?").decode() for r in found)


def test_a_log_is_compacted_and_reads_go_on(cleaning: Cleaning, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    before = log.read(0, 1 << 20).data
    held = bytes(before)
    size = log.size_bytes
    cleaning.pass_over()
    end = cleaning.cleaner.offsets["t", 0]
    assert end == log.active_segment.base_offset == 12
    assert keys(log) == "abcxyz"
    assert log.log_start_offset == 0 and log.log_end_offset == 15
    assert log.size_bytes < size
    assert bytes(before) == held, "what a reader holds stays as it was"
    assert keys(log, 3) == keys(log, 9) == "abcxyz"
    assert cleaning.lab.disk.read(OFFSETS) == b"0\n1\nt 0 12\n"
    assert "t-0: offsets 0 to 12 cleaned" in caplog.text
    metrics = cleaning.cleaner.metrics
    assert metrics.runs == 1 and metrics.bytes_read == 4 * metrics.bytes_written > 0
    assert metrics.max_dirty_percent == 0, "the last look found nothing dirty"
    assert metrics.last_run_ms == cleaning.lab.clock.time_ms()


def test_files_after_a_swap(cleaning: Cleaning) -> None:
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.pass_over()
    disk = cleaning.lab.disk
    names = disk.list_directory("/data/t-0")
    assert not [name for name in names if name.endswith((".cleaned", ".swap"))]
    assert [name for name in names if name.endswith(".deleted")]
    stems = {f"{segment.base_offset:020d}" for segment in log.segments}
    assert {name[:20] for name in names if name.endswith((".log", ".index", ".timeindex", ".snapshot"))} == stems
    cleaning.lab.clock.advance(60_000)
    assert not [name for name in disk.list_directory("/data/t-0") if name.endswith(".deleted")]
    assert keys(log) == "abcxyz"


def test_a_start_goes_on_from_the_checkpoint(cleaning: Cleaning) -> None:
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.pass_over()
    cleaning.dirs.close()
    again = Cleaning(cleaning.lab)
    log = again.log()
    assert again.cleaner.offsets == {("t", 0): 12}
    assert keys(log) == "abcxyz"
    again.pass_over()
    assert again.cleaner.metrics.runs == 0
    again.write(log, "abcabcabc")
    again.pass_over()
    assert again.cleaner.metrics.runs == 1
    assert keys(log) == "xyzabcabc", "the last three are in the active segment"
    assert len(log.segments) == 5, "the emptied segments have become one"


def test_a_start_after_a_crash_finds_the_compacted_log(cleaning: Cleaning) -> None:
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.pass_over()
    cleaning.dirs.directories[0].release()
    again = Cleaning(cleaning.lab)
    assert keys(again.log()) == "abcxyz"
    assert again.log().log_end_offset == 15


# -- which log, and how much of it --


def test_the_dirtiest_first_and_one_after_another(lab: Lab) -> None:
    thread = DeferredIo()
    cleaning = Cleaning(lab, thread=thread)
    for topic, dirty in (("a", "abcabc" * 2), ("b", "ab" * 8), ("c", "abcd" * 2)):
        cleaning.write(cleaning.log(topic), dirty + "zzzzzzzz")
        cleaning.cleaner.offsets[topic, 0] = {"a": 6, "b": 2, "c": 7}[topic]
    order = []
    for _ in range(100):
        lab.clock.advance(1000)
        order += [key for key, _ in cleaning.cleaner.in_progress if key not in order]
        thread.run_all()
    assert order == ["b", "a", "c"]
    assert cleaning.cleaner.metrics.runs == 3


def test_two_cleaners_take_two_logs(lab: Lab) -> None:
    thread = DeferredIo()
    cleaning = Cleaning(lab, thread=thread, settings=SETTINGS._replace(threads=2))
    for topic in ("a", "b", "c"):
        cleaning.write(cleaning.log(topic), "ab" * 8)
    lab.clock.advance(1000)
    assert len(cleaning.cleaner.in_progress) == 2


@pytest.mark.parametrize(
    ("ratio", "clean_to", "due"),
    [(0.5, None, True), (1.0, None, False), (0.0, 15, False), (0.49, 8, True), (0.51, 8, False), (0.0, 12, True)],
)
def test_the_dirty_ratio(cleaning: Cleaning, ratio: float, clean_to: int | None, due: bool) -> None:
    log = cleaning.log(**{"min.cleanable.dirty.ratio": ratio})
    cleaning.write(log, "a" * 17)  # segments of four: sixteen that can be cleaned, one in the active segment
    assert [segment.base_offset for segment in log.segments] == [0, 3, 6, 9, 12, 15]
    dirt = dirtiness(log, clean_to, START_MS)
    assert dirt is not None
    assert is_due(log, dirt) == due


def test_limits_of_what_is_cleaned(cleaning: Cleaning) -> None:
    log = cleaning.log(**{"min.compaction.lag.ms": 500})
    cleaning.write(log, "a" * 9)
    cleaning.lab.clock.advance(400)
    cleaning.write(log, "a" * 3)
    cleaning.lab.clock.advance(200)
    cleaning.write(log, "a")
    now_ms = cleaning.lab.clock.time_ms()

    def bounds() -> tuple[int, int]:
        dirt = dirtiness(log, None, now_ms)
        assert dirt is not None
        return dirt.first_dirty_offset, dirt.upper_bound_offset

    assert bounds() == (0, 9), "the records from 9 on are too young"
    log.config = LogConfig(cleaning.config)
    assert bounds() == (0, 12), "the active segment is never cleaned"
    log.last_stable_offset = 7
    assert bounds() == (0, 6), "nor the one in which the first undecided transaction begins"
    log.last_stable_offset = 0
    assert dirtiness(log, None, now_ms) is None


@pytest.mark.parametrize(("checkpointed", "first_dirty"), [(None, 6), (3, 6), (6, 6), (9, 9), (13, 13), (14, 6)])
def test_a_checkpoint_that_cannot_be_counts_for_nothing(
    cleaning: Cleaning, checkpointed: int | None, first_dirty: int
) -> None:
    log = cleaning.log()
    cleaning.write(log, "a" * 13)
    upkeep.increment_log_start_offset(log, 6)
    dirt = dirtiness(log, checkpointed, START_MS)
    assert dirt is not None and dirt.first_dirty_offset == first_dirty


def test_max_compaction_lag_forces(cleaning: Cleaning) -> None:
    log = cleaning.log(**{"min.cleanable.dirty.ratio": 1, "max.compaction.lag.ms": 5000})
    cleaning.write(log, "aaaaaaaa")
    cleaning.lab.clock.advance(4999)
    assert cleaning.cleaner.metrics.runs == 0
    cleaning.lab.clock.advance(2000)
    assert cleaning.cleaner.metrics.runs == 1
    assert cleaning.cleaner.metrics.max_compaction_delay_secs == 0, "no longer"
    # It rolls the active segment in time, too, where a log that is not compacted waits for segment.ms.
    base_offset = log.active_segment.base_offset
    cleaning.write(log, "a", size=1)
    assert log.active_segment.base_offset > base_offset


def test_policy_changes_live(cleaning: Cleaning) -> None:
    log = cleaning.log(**{"cleanup.policy": "delete"})
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.pass_over()
    assert cleaning.cleaner.metrics.runs == 0
    log.config = LogConfig(cleaning.config)
    cleaning.pass_over()
    assert keys(log) == "abcxyz"
    log.config = LogConfig(cleaning.config | {"cleanup.policy": "delete", "retention.ms": 10})
    cleaning.lab.clock.advance(100)
    assert keys(log) == "abcxyz"
    cleaning.dirs.check_retention(cleaning.lab.clock.time_ms())
    assert keys(log) == ""


def test_compact_and_delete(cleaning: Cleaning) -> None:
    log = cleaning.log(**{"cleanup.policy": "compact,delete", "retention.ms": 60_000})
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.dirs.check_retention(START_MS + 10**9)
    assert keys(log) == "abcabcabcabcxyz", "its retention is the cleaner's"
    cleaning.pass_over()
    assert keys(log) == "abcxyz"
    cleaning.lab.clock.advance(62_000)
    cleaning.write(log, "new", size=1)
    cleaning.pass_over()
    assert keys(log) == "new"
    assert log.log_start_offset == 15


def test_segments_below_the_log_start_go_from_compacted_logs(cleaning: Cleaning) -> None:
    log = cleaning.log(**{"min.cleanable.dirty.ratio": 1})
    cleaning.write(log, "abcabcabcabcxyz")
    upkeep.increment_log_start_offset(log, 8)
    cleaning.pass_over()
    assert log.segments[0].base_offset == 6


def test_a_disabled_cleaner_does_nothing(lab: Lab) -> None:
    cleaning = Cleaning(lab, settings=SETTINGS._replace(is_enabled=False))
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.pass_over()
    assert keys(log) == "abcabcabcabcxyz"


# -- what ends a pass --


def _delete(cleaning: Cleaning) -> None:
    cleaning.dirs.delete("t", 0)


def _delete_and_create(cleaning: Cleaning) -> None:
    cleaning.dirs.delete("t", 0)
    cleaning.write(cleaning.log(), "ABCABCABC")


def _cut(cleaning: Cleaning) -> None:
    upkeep.truncate_to(cleaning.log(), 5)


def _cut_all(cleaning: Cleaning) -> None:
    upkeep.truncate_fully(cleaning.log(), 3)


def _fail(cleaning: Cleaning) -> None:
    cleaning.log().log_dir.fail(OSError(5, "broken"))


def _stop(cleaning: Cleaning) -> None:
    cleaning.cleaner.close()


@pytest.mark.parametrize("event", [_delete, _delete_and_create, _cut, _cut_all, _fail, _stop])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_what_happens_to_a_log_ends_its_pass(lab: Lab, event: Callable[[Cleaning], None], steps: int) -> None:
    thread = DeferredIo()
    cleaning = Cleaning(lab, {"internal.segment.bytes": 600, "segment.index.bytes": 0}, thread=thread)
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    lab.clock.advance(1)
    for _ in range(steps):
        thread.run_one()
        lab.clock.advance(1)
    assert list(cleaning.cleaner.in_progress) == [("t", 0)]
    event(cleaning)
    thread.run_all()
    if event is not _fail:
        lab.clock.advance(1)
        thread.run_all()
    assert not cleaning.cleaner.in_progress and not cleaning.cleaner.uncleanable
    assert cleaning.cleaner.metrics.runs == 0
    gc.collect()  # nothing of the old pass may come back
    left = [d for d in lab.disk.list_directory("/data") if d.startswith("t-0")]
    assert not [name for d in left for name in lab.disk.list_directory(f"/data/{d}") if name.endswith(".cleaned")]
    if event is _delete_and_create:
        assert keys(cleaning.log()) == "ABCABCABC"
        lab.clock.advance(1000)
        gc.collect()
        for _ in range(20):
            thread.run_all()
            lab.clock.advance(1)
        assert cleaning.cleaner.metrics.runs == 1 and keys(cleaning.log()) == "CABC"
    if event in (_cut, _cut_all):
        assert keys(log) == ("" if event is _cut_all else {0: "abcab", 1: "cab", 2: "b"}[steps])
        assert log.log_end_offset == (3 if event is _cut_all else 5)


def test_a_cut_lowers_the_checkpoint(cleaning: Cleaning) -> None:
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.pass_over()
    upkeep.truncate_to(log, 10)
    assert cleaning.cleaner.offsets["t", 0] == 10
    assert cleaning.lab.disk.read(OFFSETS) == b"0\n1\nt 0 10\n"


def test_an_older_checkpoint_does_not_come_behind_a_cut(lab: Lab) -> None:
    thread = DeferredIo()
    lab.flusher = flusher = DeferredIo()
    cleaning = Cleaning(lab, thread=thread)
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    for _ in range(20):
        lab.clock.advance(1000)
        if cleaning.cleaner.offsets:
            break
        flusher.run_all()
        if len(thread):
            thread.run_one()
    assert cleaning.cleaner.offsets == {("t", 0): 12}
    upkeep.truncate_to(log, 10)
    thread.run_all()
    flusher.run_all()
    assert lab.disk.read(OFFSETS) == b"0\n1\nt 0 10\n"


def test_nothing_is_called_clean_before_its_names_are_synced(
    cleaning: Cleaning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint tells of all logs, whoever writes it: of a log that has just been cleaned as well."""
    cleaning.write(cleaning.log(), "abcabcabcabcxyz")
    told: list[dict[tuple[str, int], int]] = []
    monkeypatch.setattr(
        cleaning.lab.disk,
        "fsync_directory",
        lambda path: path == "/data/t-0" and told.append(dict(cleaning.cleaner.offsets)),
    )
    cleaning.pass_over()
    assert cleaning.cleaner.offsets == {("t", 0): 12}
    assert told and not any(told)


def test_a_deleted_partition_is_forgotten(cleaning: Cleaning) -> None:
    cleaning.write(cleaning.log(), "abcabcabcabcxyz")
    cleaning.pass_over()
    cleaning.dirs.delete("t", 0)
    assert cleaning.lab.disk.read(OFFSETS) == b"0\n0\n"
    log = cleaning.log()
    cleaning.write(log, "defdefdefdefxyz")
    cleaning.pass_over()
    assert keys(log) == "defxyz"


def test_retention_leaves_a_log_alone_that_is_being_cleaned(lab: Lab) -> None:
    thread = DeferredIo()
    cleaning = Cleaning(lab, thread=thread)
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    lab.clock.advance(1)
    log.config = LogConfig(cleaning.config | {"cleanup.policy": "delete", "retention.ms": 0})
    cleaning.dirs.check_retention(lab.clock.time_ms() + 10)
    assert len(log.segments) == 5
    for _ in range(9):
        thread.run_all()
        lab.clock.advance(1)
    cleaning.dirs.check_retention(lab.clock.time_ms() + 10)
    assert keys(log) == ""


# -- damage --


def test_a_log_that_cannot_be_cleaned_does_not_keep_others_from_it(cleaning: Cleaning) -> None:
    bad, good = cleaning.log("bad"), cleaning.log("good")
    cleaning.write(bad, "abababababababababab")
    cleaning.write(good, "abcabcabcabcxyz")
    file = bad.segments[1].file
    file.pwrite(b"?", bad.segments[1].size - 20)
    held = [bytes(segment.peek(0, segment.size)) for segment in bad.segments]
    cleaning.lab.clock.advance(5000)
    assert keys(good) == "abcxyz"
    assert list(cleaning.cleaner.uncleanable) == [("bad", 0)]
    assert [bytes(segment.peek(0, segment.size)) for segment in bad.segments] == held
    metrics = cleaning.cleaner.metrics
    assert metrics.uncleanable_partitions_count == {"/data": 1}
    assert metrics.uncleanable_bytes["/data"] == sum(segment.size for segment in list(bad.segments)[:-1])
    cleaning.dirs.delete("bad", 0)
    assert metrics.uncleanable_partitions_count == {}


def test_an_error_of_the_disk_takes_the_directory_offline(cleaning: Cleaning, monkeypatch: pytest.MonkeyPatch) -> None:
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")

    def refuse(path: str, time_ms: int) -> None:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(cleaning.lab.disk, "set_modified_ms", refuse)
    cleaning.pass_over()
    assert log.log_dir.failure is not None


# -- settings --


def test_settings_change_live(lab: Lab) -> None:
    made: list[str] = []
    cleaning = Cleaning(lab)
    cleaning.cleaner._new_thread = lambda name: made.append(name) or InlineIo()  # type: ignore[func-returns-value]
    cleaning.cleaner.reconfigure(SETTINGS)
    assert made == [], "nothing has changed"
    cleaning.cleaner.reconfigure(SETTINGS._replace(threads=2, backoff_ms=50, io_bytes_per_second_max=1e6))
    assert made == ["klamm-cleaner-0", "klamm-cleaner-1"]
    assert cleaning.cleaner._throttle.bytes_per_second == 1e6
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    lab.clock.advance(50)
    assert keys(log) == "abcxyz"
    cleaning.cleaner.close()
    assert lab.clock.pending == sum(bool(d._deletes) * len(d._deletes) for d in cleaning.dirs.directories)


def test_a_cleaner_that_dies_is_counted_and_replaced_by_a_change(
    cleaning: Cleaning, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    with monkeypatch.context() as patch:
        patch.setattr("klamm.log.cleaner.log_cleaner.is_due", lambda log, dirt: 1 // 0)
        cleaning.pass_over()
    assert cleaning.cleaner.metrics.dead_thread_count == 1
    cleaning.pass_over()
    assert cleaning.cleaner.metrics.runs == 0
    cleaning.cleaner.reconfigure(SETTINGS._replace(backoff_ms=10))
    assert cleaning.cleaner.metrics.dead_thread_count == 0
    cleaning.pass_over()
    assert keys(log) == "abcxyz"


def test_a_map_without_room_for_a_key_stops_the_cleaners(cleaning: Cleaning) -> None:
    cleaning.cleaner.reconfigure(SETTINGS._replace(load_factor=1e-9))
    assert cleaning.cleaner.metrics.dead_thread_count == 1
    log = cleaning.log()
    cleaning.write(log, "abcabcabcabcxyz")
    cleaning.pass_over()
    assert cleaning.cleaner.metrics.runs == 0
    cleaning.cleaner.reconfigure(SETTINGS)
    cleaning.pass_over()
    assert keys(log) == "abcxyz"


def test_checkpoints_of_other_directories_are_not_taken(lab: Lab) -> None:
    first = Cleaning(lab, paths=("/data", "/more"))
    first.log()
    first.dirs.close()
    checkpoint.write_offsets(lab.disk, "/more/cleaner-offset-checkpoint", {("t", 0): 5, ("gone", 1): 3})
    assert Cleaning(lab, paths=("/data", "/more")).cleaner.offsets == {}
