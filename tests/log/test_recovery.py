"""After any crash a log is a prefix of what was appended, with the indexes, epochs and producers of that prefix."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import Record, build_batch
from klamm.log import partition_metadata, timestamps, upkeep
from klamm.log.producer_snapshot import encode
from tests.log.conftest import Lab

SMALL = {"internal.segment.bytes": 2000, "index.interval.bytes": 300}


def everything(log: Any) -> bytes:
    parts = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = bytes(log.read(offset, 1 << 30, max_offset=log.log_end_offset).data)
        parts.append(data)
        *_, last = records.batches(data)
        offset = last.next_offset
    return b"".join(parts)


def facts(log: Any) -> dict[str, Any]:
    """What two logs of the same batches must agree on."""
    producers = log.producers.producers
    return {
        "end": log.log_end_offset,
        "bytes": everything(log),
        "epochs": log.epochs.entries(),
        # Of a snapshot only the last batch of a producer is left.
        "producers": {pid: encode([entry]) for pid, entry in producers.items()},
        "unstable": log.producers.first_unstable_offset,
        "segments": [(s.base_offset, s.size, s.max_timestamp) for s in log.segments],
        "offset indexes": [s.offset_index.entries() for s in log.segments],
        "time indexes": [s.time_index.entries() for s in list(log.segments)[:-1]],
    }


class Filler:
    """Appends steps of (records, value size, kind) to a log; the kind decides time, epoch and producer."""

    def __init__(self, lab: Any, log: Any) -> None:
        self.lab, self.log = lab, log
        self.epoch = 0
        self.sequences: dict[int, int] = {}

    def append(self, steps: list[tuple[int, int, int]]) -> None:
        for count, size, kind in steps:
            self.lab.clock.advance(kind)
            fields: dict[str, Any] = {}
            if kind % 5 == 0:
                self.epoch += 1
            if kind % 2:
                producer_id = kind % 3 + 10 * (kind % 7 == 0)
                sequence = self.sequences.get(producer_id, 0)
                self.sequences[producer_id] = sequence + count
                fields = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": sequence}
                fields["transactional"] = producer_id >= 10
            self.lab.append(self.log, self.lab.batch(count, size=size, **fields), self.epoch)


STEPS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 300), st.integers(0, 41)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=STEPS,
    flushed=st.integers(0, 60),
    cut=st.integers(0, 3000),
    tail=st.binary(max_size=100),
    lost=st.integers(0, 7),
)
def test_a_crash_leaves_a_prefix(steps: Any, flushed: int, cut: int, tail: bytes, lost: int) -> None:
    lab = Lab()
    log = lab.open(SMALL)
    filler = Filler(lab, log)
    filler.append(steps[:flushed])
    if flushed:
        upkeep.flush(log)
    recovery_point = log.recovery_point
    synced = log.active_segment.size
    synced_base = log.active_segment.base_offset
    filler.append(steps[flushed:])
    active = log.active_segment
    # The crash: the last segment loses up to `cut` bytes of what was not synced, then garbage follows.
    floor = synced if active.base_offset == synced_base else 0
    size = max(floor, active.size - cut)
    file = lab.disk.open(active.path)
    file.truncate(size)
    file.pwrite(tail, size)
    for bit, suffix in enumerate((".index", ".timeindex", ".snapshot")):
        if lost >> bit & 1:
            for segment in log.segments:
                lab.disk.remove(segment.path_of(suffix))

    recovered = lab.open(SMALL, recovery_point=recovery_point)
    end = kept = 0
    while kept < len(steps) and end + steps[kept][0] <= recovered.log_end_offset:
        end += steps[kept][0]
        kept += 1
    assert recovered.log_end_offset == end >= recovery_point
    again = Lab()
    model = again.open(SMALL)
    Filler(again, model).append(steps[:kept])
    got, wanted = facts(recovered), facts(model)
    # A lone empty segment may be left of a roll whose first batch was lost.
    got_segments = [row for row in got.pop("segments") if row[1]]
    assert got_segments == [row for row in wanted.pop("segments") if row[1]]
    for name in ("offset indexes", "time indexes"):
        got_rows = [row for row in got.pop(name) if row]
        wanted_rows = [row for row in wanted.pop(name) if row]
        assert got_rows[: len(wanted_rows)] == wanted_rows
    assert got == wanted
    assert lab.append(recovered).base_offset == end, "and life goes on"


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_a_clean_stop_leaves_everything(steps: Any) -> None:
    lab = Lab()
    log = lab.open(SMALL)
    Filler(lab, log).append(steps)
    before = facts(log)
    upkeep.close(log)
    reopened = lab.open(SMALL, is_clean=True, high_watermark=log.high_watermark)
    assert facts(reopened) == before
    assert reopened.recovery_point == reopened.log_end_offset == reopened.high_watermark


def test_a_flipped_bit_ends_the_log_there(lab: Any) -> None:
    log = lab.open({"internal.segment.bytes": 500})
    for _ in range(20):
        lab.append(log, lab.batch(2))
    third = log.segments[2]
    data = bytearray(lab.disk.read(third.path))
    data[-1] ^= 4
    lab.disk.open(third.path).pwrite(bytes(data), 0)
    batches = len(list(third.headers(0, third.size)))
    recovered = lab.open()
    assert recovered.log_end_offset == third.base_offset + 2 * (batches - 1)
    assert len(recovered.segments) == 3
    names = lab.disk.list_directory("/data/t-0")
    assert not [name for name in names if name[:20].isdigit() and int(name[:20]) > recovered.log_end_offset]


def test_batches_out_of_order_end_the_log(lab: Any) -> None:
    log = lab.open()
    for _ in range(5):
        lab.append(log, lab.batch(2))
    data = lab.disk.read(log.active_segment.path)
    one = len(data) // 5
    file = lab.disk.open(log.active_segment.path)
    file.pwrite(data[one : 2 * one], len(data))
    recovered = lab.open()
    assert recovered.log_end_offset == 10 and recovered.size_bytes == len(data)


def test_epochs_are_those_of_the_records_that_are_left(lab: Any) -> None:
    log = lab.open()
    for epoch in range(6):
        lab.append(log, epoch=epoch)
    upkeep.close(log)
    lab.disk.write_atomic("/data/t-0/leader-epoch-checkpoint", b"0\n3\n0 0\n4 4\n9 7\n")
    again = lab.open(is_clean=True, log_start_offset=2)
    assert again.epochs.entries() == [(0, 2), (4, 4)]


def test_a_crash_after_a_roll_keeps_the_time_of_what_was_sealed(lab: Any) -> None:
    log = lab.open({"internal.segment.bytes": 250})
    lab.append(log, lab.batch(timestamp=7))
    lab.append(log, lab.batch(timestamp=5))
    upkeep.flush(log)
    upkeep.roll(log)
    again = lab.open(recovery_point=log.recovery_point)
    assert [segment.max_timestamp for segment in again.segments] == [7, -1]


def test_below_the_recovery_point_nothing_is_read_again(lab: Any) -> None:
    log = lab.open({"internal.segment.bytes": 500})
    for _ in range(20):
        lab.append(log, lab.batch(2))
    first = log.segments[0]
    lab.disk.open(first.path).pwrite(b"\xff", first.size - 1)
    assert lab.open(recovery_point=log.log_end_offset).log_end_offset == 40
    assert lab.open(recovery_point=0).log_end_offset < 40


@pytest.mark.parametrize("damage", ["missing", "garbage", "cut", "zeros"])
def test_indexes_are_rebuilt_when_first_used(lab: Any, damage: str) -> None:
    config = {"internal.segment.bytes": 3000, "index.interval.bytes": 200}
    log = lab.open(config)
    for _ in range(60):
        lab.append(log, lab.batch(2))
    before = facts(log)
    upkeep.close(log)
    for segment in log.segments:
        for suffix in (".index", ".timeindex"):
            path = segment.path_of(suffix)
            data = lab.disk.read(path)
            if damage == "missing":
                lab.disk.remove(path)
            elif damage == "garbage":
                lab.disk.write_atomic(path, data[:-4] + b"\xff\xff\xff\xff")
            elif damage == "cut":
                lab.disk.write_atomic(path, b"")
            else:
                lab.disk.write_atomic(path, data + bytes(1000))
    reopened = lab.open(config, is_clean=True)
    assert everything(reopened) == before["bytes"]
    if damage in ("missing", "garbage", "zeros"):
        assert facts(reopened) == before


@pytest.mark.parametrize("shift", [1, -1, 40, 1 << 24])
def test_an_index_that_points_elsewhere_is_not_trusted(lab: Any, shift: int) -> None:
    config = {"internal.segment.bytes": 3000, "index.interval.bytes": 200}
    log = lab.open(config)
    for _ in range(60):
        lab.append(log, lab.batch(2))
    before = everything(log)
    one = len(lab.batch(2))
    upkeep.close(log)
    for segment in log.segments:
        path = segment.path_of(".index")
        rows = list(struct.iter_unpack(">ii", lab.disk.read(path)))
        wrong = [(offset, max(0, position + shift)) for offset, position in rows[:-1]] + rows[-1:]
        lab.disk.write_atomic(path, b"".join(struct.pack(">ii", *row) for row in wrong))
    for read_first in (0, 50):
        reopened = lab.open(config, is_clean=True, high_watermark=log.high_watermark)
        for offset in range(read_first, log.log_end_offset):
            data = bytes(reopened.read(offset, 3 * one).data)
            batches = list(records.batches(data))
            assert batches[0].base_offset <= offset <= batches[0].last_offset
            assert sum(batch.size_bytes for batch in batches) == len(data)
        assert everything(reopened) == before


def test_damage_below_the_recovery_point_ends_no_loop(lab: Any) -> None:
    log = lab.open()
    for _ in range(5):
        lab.append(log, lab.batch(2))
    one = log.size_bytes // 5
    lab.disk.open(log.active_segment.path).pwrite(struct.pack(">i", -12), one + 8)
    log.forget_positions()
    with pytest.raises(KafkaError) as caught:
        log.read(6, 1000)
    assert caught.value.code == errors.CORRUPT_MESSAGE
    assert len(log.read(0, 4 * one).data) == one


def test_log_start_beyond_the_end(lab: Any) -> None:
    log = lab.open()
    lab.append(log, lab.batch(5))
    again = lab.open(log_start_offset=50)
    assert (again.log_start_offset, again.log_end_offset, again.high_watermark) == (50, 50, 50)
    assert lab.append(again).base_offset == 50


@pytest.mark.parametrize("is_cleaned", [False, True])
def test_segments_that_lost_their_records_end_the_log(lab: Any, is_cleaned: bool) -> None:
    """Power is lost: of three segments the first has a part of its records, the others none."""
    config = {**SMALL, "cleanup.policy": "compact"}
    log = lab.open(config)
    while len(log.segments) < 3:
        lab.append(log, lab.batch(2, size=300, key=b"k"))
    first, second, third = log.segments
    *_, last = records.batches(bytes(first.file.pread(first.size, 0)))
    first.file.truncate(first.size - last.size_bytes)
    second.file.truncate(0)
    third.file.truncate(0)
    again = lab.open(config, cleaned_offset=third.base_offset if is_cleaned else last.base_offset)
    if is_cleaned:  # the gap may be what compaction has left
        assert (len(again.segments), again.log_end_offset) == (3, third.base_offset)
        return
    assert (len(again.segments), again.log_end_offset) == (1, last.base_offset)
    assert [batch.next_offset for batch in records.batches(everything(again))][-1] == last.base_offset
    assert lab.append(again, lab.batch(2, size=300)).base_offset == last.base_offset
    names = lab.disk.list_directory(again.directory)
    assert [name for name in names if name.endswith(".log")] == [f"{0:020d}.log"]


def test_leftovers_are_removed(lab: Any) -> None:
    log = lab.open()
    lab.append(log, lab.batch(5))
    for name in ("00000000000000000009.log.deleted", "00000000000000000009.log.cleaned", "leader-epoch-checkpoint.tmp",
                 "00000000000000000009.index"):  # fmt: skip
        lab.disk.write_atomic(f"/data/t-0/{name}", b"x")
    lab.open()
    names = lab.disk.list_directory("/data/t-0")
    assert "00000000000000000000.log" in names and not [name for name in names if "9" in name or "tmp" in name]


def test_an_unreadable_snapshot_is_passed_over(lab: Any) -> None:
    log = lab.open({"internal.segment.bytes": 500})
    for n in range(20):
        lab.append(log, lab.batch(1, producer_id=5, producer_epoch=0, base_sequence=n))
    upkeep.close(log)
    newest = f"/data/t-0/{log.log_end_offset:020d}.snapshot"
    lab.disk.write_atomic(newest, b"x" * 56)
    again = lab.open(is_clean=True)
    assert again.producers.producers[5].last_sequence == 19
    assert not lab.disk.exists(newest)


def test_malformed_epochs_do_not_stop_the_start(lab: Any) -> None:
    log = lab.open()
    lab.append(log, epoch=3)
    upkeep.close(log)
    lab.disk.write_atomic("/data/t-0/leader-epoch-checkpoint", b"nonsense")
    assert lab.open().epochs.entries() == [(3, 0)]


def test_topic_ids(lab: Any) -> None:
    one, other = b"1" * 16, b"2" * 16
    log = lab.open(topic_id=one)
    assert log.topic_id == one and lab.open().topic_id == one
    with pytest.raises(partition_metadata.InconsistentTopicId):
        lab.open(topic_id=other)


def legacy_message(offset: int, magic: int, value: bytes) -> bytes:
    import zlib

    timestamp = struct.pack(">q", 1000 + offset) if magic else b""
    body = struct.pack(">bb", magic, 0) + timestamp + struct.pack(">ii", -1, len(value)) + value
    return struct.pack(">qiI", offset, len(body) + 4, zlib.crc32(body)) + body


def test_segments_with_messages_of_old_versions(lab: Any) -> None:
    lab.disk.make_directory("/data/t-0")
    old = [legacy_message(0, 0, b""), legacy_message(1, 1, b"one"), legacy_message(2, 1, b"two" * 100)]
    new = build_batch([Record(3, 2000, b"k", b"v")], base_offset=3)
    data = b"".join(old) + new
    lab.disk.write_atomic("/data/t-0/00000000000000000000.log", data + legacy_message(4, 1, b"x")[:-1])
    log = lab.open()
    assert (log.log_end_offset, log.size_bytes) == (4, len(data))
    assert everything(log) == data
    upkeep.close(log)
    log = lab.open(is_clean=True, high_watermark=4)
    assert log.log_end_offset == 4
    assert bytes(log.read(2, 1 << 20).data) == old[2] + new


def test_a_segment_under_a_wrong_name_leads_no_reader_past_others(lab: Any) -> None:
    """Below the recovery point nothing is read again: a segment may be another one's file there."""
    log = lab.open(SMALL)
    while len(log.segments) < 4:
        lab.clock.advance(10)
        lab.append(log, lab.batch(2, size=100))
    bases = [segment.base_offset for segment in log.segments]
    first_times = [segment.first_timestamp for segment in log.segments]
    stable, end = bases[2] + 1, log.log_end_offset
    upkeep.close(log)
    lab.disk.write_atomic(f"/data/t-0/{0:020d}.log", lab.disk.read(f"/data/t-0/{bases[2]:020d}.log"))
    log = lab.open(SMALL, is_clean=True)
    log.update_high_watermark(end)
    assert next(iter(records.batches(log.read(0, 1 << 20).data))).base_offset == bases[1]
    read = records.batches(log.read(0, 1 << 20, max_offset=stable).data)
    assert all(batch.base_offset < bases[2] for batch in read), "what is above the bound is not led to by the first"
    found = timestamps.offset_for_timestamp(log, 0)
    assert found is not None and (found.offset, found.timestamp) == (bases[1], first_times[1] - 1)
