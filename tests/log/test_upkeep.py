"""Rolls, flushes, retention, truncation: what a log does over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.log import upkeep
from klamm.log.disk import RealDisk
from klamm.log.faulty_disk import FaultyDisk
from klamm.log.io_thread import DeferredIo
from klamm.log.log_config import INT64_MAX

HOUR = 3_600_000


def bases(log: Any) -> list[int]:
    return [segment.base_offset for segment in log.segments]


def fill(lab: Any, log: Any, batches: int, step_ms: int = 0) -> None:
    for _ in range(batches):
        lab.append(log)
        lab.clock.advance(step_ms)


SIZE = 89  # of the batch of one record that `fill` appends


def test_size_of_the_batch(lab: Any) -> None:
    assert len(lab.batch()) == SIZE


class TestRoll:
    def test_by_size(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        fill(lab, log, 7)
        assert bases(log) == [0, 3, 6]
        assert [segment.size for segment in log.segments] == [3 * SIZE, 3 * SIZE, SIZE]

    def test_by_record_time(self, lab: Any) -> None:
        log = lab.open({"segment.ms": 1000, "message.timestamp.after.max.ms": INT64_MAX})
        start = lab.clock.time_ms()
        for late in (0, 1000, 1001, 500, 2001, 2002):
            lab.append(log, lab.batch(timestamp=start + late))
        assert bases(log) == [0, 2, 5]

    def test_by_the_clock_without_timestamps(self, lab: Any) -> None:
        log = lab.open({"segment.ms": 1000})
        lab.append(log, lab.batch(timestamp=-1))
        lab.clock.advance(1000)
        lab.append(log, lab.batch(timestamp=-1))
        lab.clock.advance(1)
        lab.append(log, lab.batch(timestamp=-1))
        assert bases(log) == [0, 2]

    def test_an_empty_segment_does_not_roll(self, lab: Any) -> None:
        log = lab.open({"segment.ms": 1000})
        lab.clock.advance(HOUR)
        lab.append(log)
        assert bases(log) == [0]

    def test_jitter_brings_it_forward(self, lab: Any) -> None:
        log = lab.open({"segment.ms": 1000, "segment.jitter.ms": 900, "message.timestamp.after.max.ms": INT64_MAX})
        upkeep.roll(log)
        jitter = log.active_segment.roll_jitter_ms
        assert 0 < jitter < 900
        start = lab.clock.time_ms()
        for late in (0, 1000 - jitter, 1001 - jitter):
            lab.append(log, lab.batch(timestamp=start + late))
        assert log.active_segment.base_offset == 2

    def test_by_a_full_index(self, lab: Any) -> None:
        log = lab.open({"index.interval.bytes": 0, "segment.index.bytes": 3 * 12})
        fill(lab, log, 6, step_ms=1)
        # The second and third batch are indexed; the time index keeps room for its last entry.
        assert bases(log) == [0, 3]
        assert len(log.segments[0].time_index) == 2

    def test_by_offset_overflow(self, lab: Any) -> None:
        log = lab.open()
        lab.append(log)
        follower_batch = bytearray(lab.batch())
        records.place(follower_batch, 0x7FFFFFFF, 0)
        log.append_as_follower(bytes(follower_batch))
        assert bases(log) == [0]
        records.place(follower_batch, 0x80000000, 0)
        log.append_as_follower(bytes(follower_batch))
        assert bases(log) == [0, 0x80000000]

    def test_preallocation_is_trimmed(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "preallocate": "true"})
        fill(lab, log, 4)
        assert lab.disk.size(log.segments[1].path) == 3 * SIZE
        fill(lab, log, 2)
        upkeep.close(log)
        assert lab.disk.size(log.segments[1].path) == 3 * SIZE
        fill(lab, log, 1)
        upkeep.close(log)
        assert lab.disk.size(log.segments[2].path) == SIZE

    def test_a_mapping_of_preallocated_space_is_dropped_with_it(self, lab: Any, tmp_path: Path) -> None:
        lab.disk = RealDisk()
        place = lab.log_dir(str(tmp_path))
        log = lab.open({"internal.segment.bytes": 1 << 20, "preallocate": "true"}, log_dir=place)
        upkeep.roll(log)
        for _ in range(5):
            lab.append(log, lab.batch(size=30_000))
        view = log.read(0, 1 << 20).data
        upkeep.roll(log)
        lab.append(log)
        # Looking beyond the last batch would touch pages that the file does not have any more.
        assert [len(log.read(offset, 1 << 20).data) // 30_000 for offset in range(6)] == [5, 4, 3, 2, 1, 0]
        assert len(list(records.batches(view))) == 5
        upkeep.close(log)

    def test_files_of_a_roll(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        fill(lab, log, 4)
        assert lab.disk.list_directory("/data/t-0") == [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "00000000000000000003.log",
            "00000000000000000003.snapshot",
            "leader-epoch-checkpoint",
        ]
        assert log.segments[0].time_index.entries() == [(lab.clock.time_ms(), 0)]

    def test_no_space_for_the_next_segment_takes_the_directory_offline(self, lab: Any) -> None:
        lab.disk = disk = FaultyDisk()
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "preallocate": True})
        disk.capacity_bytes = disk.used_bytes + 10
        fill(lab, log, 3)
        with pytest.raises(KafkaError) as caught:
            lab.append(log)
        assert caught.value.code == errors.KAFKA_STORAGE_ERROR and log.is_offline

    def test_what_a_sealed_segment_gives_back_is_synced(self, lab: Any) -> None:
        """Or the zeros of the space that was reserved come back with a crash, and are read as batches."""
        lab.disk = disk = FaultyDisk()
        log = lab.open({"internal.segment.bytes": 4 * SIZE, "preallocate": True})
        fill(lab, log, 3)
        upkeep.flush(log)
        lab.append(log, lab.batch(2))
        assert disk.is_synced(log.segments[0].path) and disk.size(log.segments[0].path) == 3 * SIZE
        upkeep.close(log)
        assert disk.is_synced(log.segments[1].path)


class TestFlush:
    def test_flush_messages(self, lab: Any) -> None:
        log = lab.open({"flush.messages": 3})
        fill(lab, log, 2)
        assert log.recovery_point == 0
        fill(lab, log, 1)
        assert log.recovery_point == 3
        fill(lab, log, 2)
        assert log.recovery_point == 3

    def test_one_sync_serves_all_that_came_meanwhile(self, lab: Any) -> None:
        lab.flusher = flusher = DeferredIo()
        log = lab.open({"flush.messages": 1})
        written = [log.append_as_leader(lab.batch(), 0, now_ms=lab.clock.time_ms()).written for _ in range(5)]
        assert len(flusher) == 1 and not any(w.done() for w in written)
        flusher.run_one()
        assert [w.done() for w in written] == [True, False, False, False, False]
        assert len(flusher) == 1
        flusher.run_one()
        assert all(w.done() for w in written) and not len(flusher) and log.recovery_point == 5

    def test_readers_see_nothing_before_its_sync(self, lab: Any) -> None:
        """As in Kafka, whose append returns behind the sync, and only then the high watermark follows."""
        lab.flusher = flusher = DeferredIo()
        log = lab.open({"flush.messages": 2})
        seen = []
        for _ in range(4):
            appended = lab.append(log)
            seen.append((appended.written is not None, log.high_watermark))
        assert seen == [(False, 1), (True, 1), (True, 1), (True, 1)]
        flusher.run_one()
        assert (log.advance_high_watermark(), log.high_watermark, log.log_end_offset) == (True, 2, 4)
        flusher.run_one()
        assert (log.advance_high_watermark(), log.high_watermark) == (True, 4)
        lab.append(log)
        assert log.high_watermark == 5 and not len(flusher)

    def test_a_roll_holds_nobody_back(self, lab: Any) -> None:
        lab.flusher = DeferredIo()
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        fill(lab, log, 4)
        assert log.high_watermark == 4 and log.synced_offset == 0

    def test_a_duplicate_is_not_answered_before_what_it_repeats_is_synced(self, lab: Any) -> None:
        lab.flusher = flusher = DeferredIo()
        log = lab.open({"flush.messages": 1})
        batch = {"producer_id": 1, "producer_epoch": 0, "base_sequence": 0}
        first, again = lab.append(log, lab.batch(**batch)), lab.append(log, lab.batch(**batch))
        assert again.is_duplicate and again.base_offset == 0
        assert not first.written.done() and not again.written.done()
        flusher.run_all()
        assert first.written.done() and again.written.done()
        later = lab.append(log, lab.batch(**batch))
        assert later.is_duplicate and later.written is None

    def test_a_failed_write_tells_those_who_wait_for_its_sync(self, lab: Any) -> None:
        lab.writer, lab.flusher = writer, flusher = DeferredIo(), DeferredIo()
        log = lab.open({"flush.messages": 1})
        written = log.append_as_leader(lab.batch(size=300_000), 0, now_ms=lab.clock.time_ms()).written

        def fail(*_: Any) -> None:
            raise OSError(5, "Input/output error")

        writer._jobs[0] = (fail, writer._jobs[0][1])
        writer.run_all()
        flusher.run_all()
        assert written.done() and written.exception().code == errors.KAFKA_STORAGE_ERROR

    def test_the_recovery_point_waits_for_the_indexes_of_what_was_sealed(self, lab: Any) -> None:
        lab.flusher = flusher = DeferredIo()
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        fill(lab, log, 3)
        upkeep.flush(log)
        flusher.run_all()
        assert log.recovery_point == 3
        fill(lab, log, 1)
        assert (log.synced_offset, log.recovery_point) == (3, 0), "segment 0 is sealed, its index is not written"
        flusher.run_one()
        assert log.recovery_point == 3 and lab.disk.exists(log.segments[0].path_of(".index"))
        flusher.run_all()
        upkeep.flush(log)
        flusher.run_all()
        assert log.recovery_point == 4

    def test_a_partition_deleted_behind_its_roll_fails_nobody(self, lab: Any) -> None:
        lab.flusher = flusher = DeferredIo()
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        fill(lab, log, 4)
        lab.disk.rename(log.directory, "/data/t-0.gone-delete")
        log.close_files()
        flusher.run_all()
        assert log.log_dir.failure is None

    def test_a_flush_waits_for_the_write(self, lab: Any) -> None:
        lab.writer, lab.flusher = writer, flusher = DeferredIo(), DeferredIo()
        log = lab.open({"flush.messages": 1})
        written = log.append_as_leader(lab.batch(size=300_000), 0, now_ms=lab.clock.time_ms()).written
        assert not len(flusher)
        writer.run_all()
        assert not written.done() and log.log_end_offset == 1 and log.recovery_point == 0
        flusher.run_all()
        assert written.done() and log.recovery_point == 1

    def test_flush_ms(self, lab: Any) -> None:
        log = lab.open({"flush.ms": 1000})
        fill(lab, log, 1)
        upkeep.flush_if_due(log, lab.clock.time_ms() + 999)
        assert log.recovery_point == 0
        lab.clock.advance(1000)
        upkeep.flush_if_due(log, lab.clock.time_ms())
        assert log.recovery_point == 1 and log.last_flush_ms == lab.clock.time_ms()

    def test_a_failed_sync_stops_the_directory(self, lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        log = lab.open({"flush.messages": 2})
        fill(lab, log, 1)
        calls = []

        def fail(self: Any) -> None:
            calls.append(1)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(type(log.active_segment.file), "fsync", fail)
        written = log.append_as_leader(lab.batch(), 0, now_ms=lab.clock.time_ms()).written
        assert written.exception().code == errors.KAFKA_STORAGE_ERROR
        assert log.is_offline and log.recovery_point == 0
        assert upkeep.flush(log).exception().code == errors.KAFKA_STORAGE_ERROR
        assert len(calls) == 1, "a failed fsync is never tried again"
        with pytest.raises(KafkaError):
            lab.append(log)


class TestRetention:
    def test_by_time(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "retention.ms": HOUR})
        fill(lab, log, 9, step_ms=60_000)
        newest_of_first = lab.clock.time_ms() - 7 * 60_000
        assert upkeep.delete_old_segments(log, newest_of_first + HOUR) == 0
        assert upkeep.delete_old_segments(log, newest_of_first + HOUR + 1) == 1
        assert bases(log) == [3, 6] and log.log_start_offset == 3

    def test_all_go_and_the_log_begins_anew(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "retention.ms": HOUR})
        fill(lab, log, 7)
        assert upkeep.delete_old_segments(log, lab.clock.time_ms() + HOUR + 1) == 3
        assert bases(log) == [7] and log.log_start_offset == log.log_end_offset == 7
        assert upkeep.delete_old_segments(log, lab.clock.time_ms() + 9 * HOUR) == 0
        assert lab.append(log).base_offset == 7

    def test_by_size(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "retention.bytes": 4 * SIZE, "retention.ms": -1})
        fill(lab, log, 10)  # segments of 3, 3, 3, 1
        assert upkeep.delete_old_segments(log, lab.clock.time_ms()) == 2
        assert bases(log) == [6, 9]
        assert upkeep.delete_old_segments(log, lab.clock.time_ms()) == 0

    def test_nothing_above_the_high_watermark(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "retention.ms": 0})
        for _ in range(7):
            log.append_as_leader(lab.batch(), 0, now_ms=lab.clock.time_ms())
        log.update_high_watermark(5)
        assert upkeep.delete_old_segments(log, lab.clock.time_ms() + 1) == 1
        assert bases(log) == [3, 6]

    @pytest.mark.parametrize("policy", ["compact", ""])
    def test_other_policies_keep(self, lab: Any, policy: str) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "retention.ms": 0, "cleanup.policy": policy})
        fill(lab, log, 7)
        assert upkeep.delete_old_segments(log, lab.clock.time_ms() + HOUR) == 0

    def test_files_go_later_and_views_stay(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE, "retention.ms": HOUR, "file.delete.delay.ms": 60_000})
        fill(lab, log, 4)
        view = log.read(0, 1 << 20).data
        before = bytes(view)
        upkeep.delete_old_segments(log, lab.clock.time_ms() + HOUR + 1)
        names = lab.disk.list_directory("/data/t-0")
        assert "00000000000000000000.log.deleted" in names and "00000000000000000000.log" not in names
        lab.clock.advance(59_999)
        assert "00000000000000000000.log.deleted" in lab.disk.list_directory("/data/t-0")
        lab.clock.advance(1)
        assert not [n for n in lab.disk.list_directory("/data/t-0") if "deleted" in n]
        assert bytes(view) == before
        with pytest.raises(KafkaError) as caught:
            log.read(0, 100)
        assert caught.value.code == errors.OFFSET_OUT_OF_RANGE

    def test_delete_records(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        for epoch in range(8):
            lab.append(log, epoch=epoch)
        assert upkeep.delete_records(log, 4) == 4
        assert log.epochs.entries()[0] == (4, 4)
        with pytest.raises(KafkaError):
            log.read(3, 100)
        assert upkeep.delete_records(log, 2) == 4
        assert upkeep.delete_old_segments(log, lab.clock.time_ms()) == 1
        assert bases(log) == [3, 6] and log.log_start_offset == 4
        with pytest.raises(KafkaError) as caught:
            upkeep.delete_records(log, 9)
        assert caught.value.code == errors.OFFSET_OUT_OF_RANGE
        assert upkeep.delete_records(log, -1) == 8

    def test_delete_records_of_a_compacted_topic(self, lab: Any) -> None:
        log = lab.open({"cleanup.policy": "compact"})
        with pytest.raises(KafkaError) as caught:
            upkeep.delete_records(log, 0)
        assert caught.value.code == errors.POLICY_VIOLATION


class TestTruncate:
    @pytest.mark.parametrize("offset", range(13))
    def test_to_any_offset(self, lab: Any, offset: int) -> None:
        log = lab.open({"internal.segment.bytes": 400, "index.interval.bytes": 100})
        whole = []
        for n in range(6):
            batch = lab.batch(2, producer_id=3, producer_epoch=0, base_sequence=2 * n)
            lab.append(log, batch, epoch=n)
            whole.append(bytes(batch))
        log.segments[0].peek(0, 10)  # the first segment is mapped by now
        upkeep.flush(log)
        assert upkeep.truncate_to(log, offset) == (offset < 12)
        end = offset // 2 * 2 if offset < 12 else 12
        assert log.log_end_offset == log.next_offset == end
        assert log.recovery_point <= end and log.high_watermark <= end
        assert log.epochs.entries() == [(n, 2 * n) for n in range(end // 2)]
        sequence = log.producers.producers[3].last_sequence if end else None
        assert sequence == (end - 1 if end else None)
        log.advance_high_watermark()
        got = b"".join(bytes(log.read(s.base_offset, 1 << 20).data) for s in log.segments if s.size)
        assert got == b"".join(whole[: end // 2])
        assert lab.append(log, epoch=9).base_offset == end
        again = lab.open({"internal.segment.bytes": 400}, recovery_point=log.recovery_point)
        assert again.log_end_offset == end + 1

    def test_what_was_under_way_for_the_records_that_go_is_over_before(self, lab: Any) -> None:
        """Else a snapshot of their producers appears behind the cut, and a sync counts what comes in their place."""
        lab.flusher = flusher = DeferredIo()
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        fill(lab, log, 7)
        upkeep.flush(log)
        assert len(flusher) and not lab.disk.exists(log.segments[1].path_of(".snapshot"))
        upkeep.truncate_to(log, 2)
        assert not len(flusher) and log.synced_offset == 2 and log.has_new_files
        assert [name for name in lab.disk.list_directory("/data/t-0") if name.endswith(".snapshot")] == []
        fill(lab, log, 3)
        flusher.run_one()
        assert log.synced_offset <= 5

    def test_the_highest_timestamp_is_that_of_what_is_left(self, lab: Any) -> None:
        log = lab.open({"message.timestamp.after.max.ms": INT64_MAX})
        for timestamp in (5, 9, 7, 30):
            lab.append(log, lab.batch(timestamp=timestamp))
        upkeep.truncate_to(log, 3)
        assert (log.active_segment.max_timestamp, log.active_segment.max_timestamp_offset) == (9, 1)

    def test_views_of_the_old_bytes_stay(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        fill(lab, log, 4)
        view = log.read(0, 1 << 20).data
        before = bytes(view)
        upkeep.truncate_to(log, 1)
        fill(lab, log, 5)
        assert bytes(view) == before

    def test_known_positions_are_forgotten(self, lab: Any) -> None:
        log = lab.open()
        for _ in range(5):
            lab.append(log, lab.batch(2))
        for offset in range(0, 10, 2):
            log.read(offset, 1)
        upkeep.truncate_to(log, 4)
        for size in (1, 300, 5):
            lab.append(log, lab.batch(2, size=size))
        assert [next(records.batches(log.read(n, 1).data)).base_offset for n in (4, 6, 8)] == [4, 6, 8]

    def test_snapshots_of_old_records_are_not_used_again(self, lab: Any) -> None:
        log = lab.open({"internal.segment.bytes": 3 * SIZE})
        for n in range(6):
            lab.append(log, lab.batch(producer_id=1, producer_epoch=0, base_sequence=n))
        upkeep.truncate_fully(log, 50)
        assert not log.producers.producers
        upkeep.close(log)
        assert not lab.open(is_clean=True).producers.producers

    def test_fully(self, lab: Any) -> None:
        log = lab.open()
        fill(lab, log, 4)
        upkeep.truncate_fully(log, 100)
        assert (log.log_start_offset, log.log_end_offset, log.high_watermark) == (100, 100, 100)
        assert lab.append(log, epoch=4).base_offset == 100
        assert log.epochs.entries() == [(4, 100)]

    def test_not_beside_a_pending_write(self, lab: Any) -> None:
        lab.writer = DeferredIo()
        log = lab.open()
        log.append_as_leader(lab.batch(size=300_000), 0, now_ms=lab.clock.time_ms())
        with pytest.raises(RuntimeError):
            upkeep.truncate_to(log, 0)
