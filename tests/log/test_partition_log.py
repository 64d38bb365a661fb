"""Appends get offsets in order, reads give whole batches, and nobody sees what is not written."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import Record, build_batch
from klamm.log.io_thread import DeferredIo
from klamm.log.log_config import LogConfig
from klamm.log.txn_index import AbortedTxn
from klamm.log.validation import COORDINATOR


def offsets(data: Any) -> list[tuple[int, int]]:
    """(base offset, last offset) of the batches of a fetch, each checked; nothing may be left over."""
    found = list(records.batches(data))
    for batch in found:
        records.validate_batch(batch.view)
    assert sum(batch.size_bytes for batch in found) == len(data)
    return [(batch.base_offset, batch.last_offset) for batch in found]


def test_offsets_and_epochs_are_placed_in_the_batch(lab: Any) -> None:
    log = lab.open()
    results = [lab.append(log, lab.batch(count), epoch) for count, epoch in ((3, 0), (1, 0), (2, 5))]
    assert [(a.base_offset, a.last_offset) for a in results] == [(0, 2), (3, 3), (4, 5)]
    assert all(a.written is None and a.log_append_time_ms == -1 and a.log_start_offset == 0 for a in results)
    data = log.read(0, 1 << 20).data
    assert offsets(data) == [(0, 2), (3, 3), (4, 5)]
    assert [b.partition_leader_epoch for b in records.batches(data)] == [0, 0, 5]
    assert log.epochs.entries() == [(0, 0), (5, 4)]
    assert (log.log_end_offset, log.high_watermark, log.last_stable_offset) == (6, 6, 6)


def test_reads(lab: Any) -> None:
    log = lab.open()
    for _ in range(10):
        lab.append(log, lab.batch(3))
    one = len(lab.batch(3))
    assert offsets(log.read(4, 1 << 20).data)[0] == (3, 5), "the middle of a batch gives the whole batch"
    assert offsets(log.read(0, 2 * one).data) == [(0, 2), (3, 5)]
    assert offsets(log.read(0, 2 * one + one - 1).data) == [(0, 2), (3, 5)]
    assert offsets(log.read(0, one - 1).data) == [(0, 2)], "one batch at least"
    assert offsets(log.read(3, 0).data) == [(3, 5)]
    assert log.read(0, one - 1, min_one=False).data == b""
    assert offsets(log.read(0, one, min_one=False).data) == [(0, 2)]
    assert offsets(log.read(0, 1 << 20, max_offset=6).data) == [(0, 2), (3, 5)]
    assert log.read(6, 1 << 20, max_offset=6).data == b""
    assert log.read(30, 1 << 20).data == b""
    for offset in (-1, 31):
        with pytest.raises(KafkaError) as caught:
            log.read(offset, 100)
        assert caught.value.code == errors.OFFSET_OUT_OF_RANGE


def test_the_high_watermark_bounds_reads(lab: Any) -> None:
    log = lab.open()
    log.append_as_leader(lab.batch(3), 0, now_ms=lab.clock.time_ms())
    log.append_as_leader(lab.batch(3), 0, now_ms=lab.clock.time_ms())
    assert log.high_watermark == 0 and log.read(0, 1000).data == b""
    assert log.update_high_watermark(3) and not log.update_high_watermark(3) and not log.update_high_watermark(2)
    assert offsets(log.read(0, 1000).data) == [(0, 2)]
    assert log.update_high_watermark(99) and log.high_watermark == 6


def test_duplicates_get_the_first_offsets(lab: Any) -> None:
    log = lab.open()

    def send(sequence: int) -> Any:
        return lab.append(log, lab.batch(2, producer_id=9, producer_epoch=0, base_sequence=sequence))

    assert send(0).base_offset == 0
    lab.append(log)
    assert send(2).base_offset == 3
    again = send(0)
    assert (again.base_offset, again.last_offset, again.is_duplicate) == (0, 1, True)
    assert log.log_end_offset == 5
    with pytest.raises(KafkaError) as caught:
        send(7)
    assert caught.value.code == errors.OUT_OF_ORDER_SEQUENCE_NUMBER and log.log_end_offset == 5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 700)), min_size=1, max_size=120),
    segment_bytes=st.sampled_from([1200, 5000, 1 << 20]),
    interval=st.sampled_from([0, 300, 4096]),
    reads=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 6000), st.integers(0, 500)), max_size=40),
)
def test_any_read_gives_the_right_batches(sizes: Any, segment_bytes: int, interval: int, reads: Any) -> None:
    from tests.log.conftest import Lab

    lab = Lab()
    log = lab.open({"internal.segment.bytes": segment_bytes, "index.interval.bytes": interval})
    ends: list[tuple[int, int, int]] = []
    for count, size in sizes:
        batch = lab.batch(count, size=size)
        if len(batch) > segment_bytes:
            continue
        appended = lab.append(log, batch)
        ends.append((appended.base_offset, appended.last_offset, len(batch)))
    bases = [segment.base_offset for segment in log.segments]
    for offset, max_bytes, max_offset in reads:
        offset, max_offset = offset % (log.log_end_offset + 1), max_offset % (log.log_end_offset + 1)
        max_offset = next((last + 1 for _, last, _ in ends if last >= max_offset), log.log_end_offset)
        got = offsets(log.read(offset, max_bytes, max_offset=max_offset).data)
        expected: list[tuple[int, int]] = []
        taken = 0
        for base, last, size in ends:
            if last < offset or last >= max_offset or offset >= max_offset:
                continue
            if expected and (taken + size > max_bytes or base in bases):
                break
            expected.append((base, last))
            taken += size
        assert got == expected


def test_large_writes_are_seen_when_they_are_written(lab: Any) -> None:
    lab.writer = writer = DeferredIo()
    log = lab.open()
    large = lab.batch(1, size=300_000)
    first = log.append_as_leader(large, 0, now_ms=lab.clock.time_ms())
    small = lab.batch(1)
    second = log.append_as_leader(small, 0, now_ms=lab.clock.time_ms())
    small[:] = bytes(len(small))  # a small buffer is the caller's again
    assert (first.base_offset, second.base_offset, log.next_offset, log.log_end_offset) == (0, 1, 2, 0)
    assert first.written is not None and second.written is not None
    log.advance_high_watermark()
    assert log.read(0, 1 << 20).data == b""
    done: list[str] = []
    first.written.add_done_callback(lambda _: done.append("first"))
    second.written.add_done_callback(lambda _: done.append("second"))
    writer.run_one()
    assert done == ["first"] and log.log_end_offset == 1
    log.advance_high_watermark()
    assert offsets(log.read(0, 1 << 20).data) == [(0, 0)]
    third = log.append_as_leader(lab.batch(1), 0, now_ms=lab.clock.time_ms())
    assert third.written is not None, "nothing overtakes a pending write"
    writer.run_all()
    assert done == ["first", "second"]
    log.advance_high_watermark()
    assert offsets(log.read(0, 1 << 20).data) == [(0, 0), (1, 1), (2, 2)]
    assert lab.append(log).written is None


def test_a_duplicate_of_a_pending_write_waits_for_it(lab: Any) -> None:
    lab.writer = writer = DeferredIo()
    log = lab.open()
    fields = {"producer_id": 1, "producer_epoch": 0, "base_sequence": 0, "size": 300_000}
    log.append_as_leader(lab.batch(1, **fields), 0, now_ms=lab.clock.time_ms())
    again = log.append_as_leader(lab.batch(1, **fields), 0, now_ms=lab.clock.time_ms())
    assert again.is_duplicate and again.written is not None and not again.written.done()
    writer.run_all()
    assert again.written.done()


def test_rolls_beside_pending_writes(lab: Any) -> None:
    lab.writer = writer = DeferredIo()
    log = lab.open({"internal.segment.bytes": 400_000})
    for _ in range(4):
        log.append_as_leader(lab.batch(1, size=300_000), 0, now_ms=lab.clock.time_ms())
    assert len(log.segments) == 4
    writer.run_one()
    log.advance_high_watermark()
    assert offsets(log.read(0, 1 << 20).data) == [(0, 0)]
    writer.run_all()
    log.advance_high_watermark()
    assert [offsets(log.read(n, 1 << 20).data) for n in range(4)] == [[(n, n)] for n in range(4)]
    assert log.recovery_point == 3, "the roll synced what it sealed"


def test_a_failed_write_takes_the_directory_offline(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.writer = writer = DeferredIo()
    log = lab.open()
    lab.append(log)
    written = log.append_as_leader(lab.batch(1, size=300_000), 0, now_ms=lab.clock.time_ms()).written
    behind = log.append_as_leader(lab.batch(1), 0, now_ms=lab.clock.time_ms()).written

    def fail(data: bytes, position: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(log.active_segment.file), "pwrite", lambda self, data, position: fail(data, position))
    # The job was made before: make it fail as the disk does.
    writer._jobs[0] = (lambda: fail(b"", 0), writer._jobs[0][1])
    writer.run_all()
    for completion in (written, behind):
        assert isinstance(completion.exception(), KafkaError)
        assert completion.exception().code == errors.KAFKA_STORAGE_ERROR
    assert log.is_offline and log.log_end_offset == 1
    for call in (lambda: lab.append(log), lambda: log.read(0, 100)):
        with pytest.raises(KafkaError) as caught:
            call()
        assert caught.value.code == errors.KAFKA_STORAGE_ERROR


def test_a_failed_small_write(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    log = lab.open()

    def fail(self: Any, data: bytes, position: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(type(log.active_segment.file), "pwrite", fail)
    with pytest.raises(KafkaError) as caught:
        lab.append(log)
    assert caught.value.code == errors.KAFKA_STORAGE_ERROR
    assert log.log_dir.failure is not None and log.log_end_offset == 0


def marker(producer_id: int, abort: bool, coordinator_epoch: int = 0) -> memoryview:
    key = records.control_key(records.CONTROL_ABORT if abort else records.CONTROL_COMMIT)
    row = Record(0, 0, key, struct.pack(">hi", 0, coordinator_epoch))
    return memoryview(
        bytearray(build_batch([row], producer_id=producer_id, producer_epoch=0, transactional=True, control=True))
    )


def test_transactions(lab: Any) -> None:
    log = lab.open({"index.interval.bytes": 0})

    def send(producer_id: int, sequence: int) -> Any:
        fields = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": sequence, "transactional": True}
        return lab.append(log, lab.batch(1, **fields))

    send(1, 0)  # 0
    send(2, 0)  # 1
    assert (log.high_watermark, log.last_stable_offset) == (2, 0)
    lab.append(log, marker(1, abort=True), origin=COORDINATOR)  # 2
    assert (log.high_watermark, log.last_stable_offset) == (3, 1)
    send(1, 1)  # 3
    lab.append(log, marker(2, abort=False), origin=COORDINATOR)  # 4
    assert log.last_stable_offset == 3
    lab.append(log, marker(1, abort=True), origin=COORDINATOR)  # 5
    assert log.last_stable_offset == log.high_watermark == 6
    assert log.active_segment.txn_index.entries == [AbortedTxn(1, 0, 2, 1), AbortedTxn(1, 3, 5, 6)]
    assert log.read(0, 1 << 20, aborted=True).aborted == [AbortedTxn(1, 0, 2, 1), AbortedTxn(1, 3, 5, 6)]
    assert log.read(3, 1 << 20, aborted=True).aborted == [AbortedTxn(1, 3, 5, 6)]
    assert log.read(0, 1, aborted=True).aborted == [AbortedTxn(1, 0, 2, 1)]
    assert log.read(0, 1 << 20).aborted is None


def test_a_zombie_coordinator_is_fenced(lab: Any) -> None:
    log = lab.open()
    lab.append(log, marker(1, abort=False, coordinator_epoch=5), origin=COORDINATOR)
    with pytest.raises(KafkaError) as caught:
        lab.append(log, marker(1, abort=True, coordinator_epoch=4), origin=COORDINATOR)
    assert caught.value.code == errors.TRANSACTION_COORDINATOR_FENCED and log.log_end_offset == 1


def test_a_follower_has_the_same_log(lab: Any) -> None:
    from tests.log.conftest import Lab

    leader = lab.open()
    other = Lab()
    follower = other.open({"internal.segment.bytes": 300})
    fields = {"producer_id": 1, "producer_epoch": 0, "transactional": True}
    lab.append(leader, lab.batch(2, base_sequence=0, **fields), epoch=1)
    lab.append(leader, lab.batch(2, base_sequence=2, **fields), epoch=3)
    lab.append(leader, marker(1, abort=True), epoch=3, origin=COORDINATOR)
    data = bytes(leader.read(0, 1 << 20).data)
    appended = follower.append_as_follower(data + data[:50])
    assert appended is not None and (appended.base_offset, appended.last_offset) == (0, 4)
    follower.update_high_watermark(5)
    assert follower.epochs.entries() == leader.epochs.entries() == [(1, 0), (3, 2)]
    assert len(follower.segments) == 2
    assert b"".join(bytes(follower.read(s.base_offset, 1 << 20).data) for s in follower.segments) == data
    assert follower.last_stable_offset == 5 and follower.producers.producers[1].last_sequence == 3
    assert follower.append_as_follower(data[:40]) is None
    with pytest.raises(KafkaError):
        follower.append_as_follower(data)
    bad = bytearray(data)
    bad[-1] ^= 1
    with pytest.raises(KafkaError) as caught:
        Lab().open().append_as_follower(bytes(bad))
    assert caught.value.code == errors.CORRUPT_MESSAGE


def test_a_follower_takes_gaps_that_compaction_left(lab: Any) -> None:
    log = lab.open()
    log.append_as_follower(
        build_batch([Record(3, 0, b"a", b"b"), Record(7, 0, b"c", b"d")], base_offset=2, last_offset=9)
    )
    log.append_as_follower(build_batch([Record(20, 0, b"a", b"b")], base_offset=15, last_offset=20))
    log.update_high_watermark(21)
    assert log.log_end_offset == 21
    assert offsets(log.read(0, 1000).data) == [(2, 9), (15, 20)]
    assert offsets(log.read(10, 1000).data) == [(15, 20)]


def test_live_change_of_the_configuration(lab: Any) -> None:
    log = lab.open()
    lab.append(log, lab.batch(size=1000))
    log.config = LogConfig({"max.message.bytes": "500"})
    with pytest.raises(KafkaError) as caught:
        lab.append(log, lab.batch(size=1000))
    assert caught.value.code == errors.MESSAGE_TOO_LARGE


def test_end_offset_for_epoch(lab: Any) -> None:
    log = lab.open()
    for epoch, count in ((2, 3), (2, 1), (5, 4), (9, 1)):
        lab.append(log, lab.batch(count), epoch)
    assert [log.end_offset_for_epoch(e) for e in (0, 1, 2, 3, 4, 5, 8, 9, 10, -1)] == [
        (0, 0), (1, 0), (2, 4), (2, 4), (2, 4), (5, 8), (5, 8), (9, 9), (-1, -1), (-1, -1),
    ]  # fmt: skip
