"""What compaction keeps, batch by batch: each rule of Kafka's cleaner as a small case."""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple

import pytest

from klamm.kproto import records
from klamm.kproto.records import (
    CONTROL,
    CONTROL_ABORT,
    CONTROL_COMMIT,
    DELETE_HORIZON,
    LOG_APPEND_TIME,
    TRANSACTIONAL,
    Batch,
    CorruptBatch,
    Record,
    build_batch,
    control_key,
)
from klamm.log.cleaner.batch_cleaner import LastRecord
from klamm.log.cleaner.cleaning import CleanedGroup, Pass
from klamm.log.cleaner.offset_map import OffsetMap
from klamm.log.cleaner.plan import CleaningPlan, PlannedSegment, grouped
from klamm.log.memory_disk import MemoryDisk
from klamm.log.txn_index import AbortedTxn

NOW = 1_700_000_000_000
RETENTION = 1000
DIR = "/t-0"

Row = tuple[int, str | None, str | None]
"""offset, key, value."""


def batch(*rows: Row, first: int | None = None, last: int | None = None, at: int = NOW - 50, **fields: Any) -> bytes:
    """A batch of rows whose timestamps are `at` plus the offset."""
    made = [
        Record(n, at + n, None if key is None else key.encode(), None if value is None else value.encode())
        for n, key, value in rows
    ]
    base = rows[0][0] if first is None else first
    return build_batch(made, base_offset=base, last_offset=last, **fields)


def marker(offset: int, kind: int, pid: int = 7, **fields: Any) -> bytes:
    value = struct.pack(">hi", 0, 0)
    record = Record(offset, NOW - 50, control_key(kind), value)
    return build_batch(
        [record], base_offset=offset, producer_id=pid, producer_epoch=0, transactional=True, control=True, **fields
    )


class Result(NamedTuple):
    batches: list[Batch]
    groups: list[CleanedGroup]
    end_offset: int
    run: Pass

    @property
    def rows(self) -> list[Row]:
        return [
            (r.offset, r.key.decode() if r.key is not None else None, r.value.decode() if r.value is not None else None)
            for b in self.batches
            if not b.attributes & CONTROL
            for r in records.iter_records(b)
        ]


class Cleaner:
    """Segments on a disk in memory, and one pass over them after another."""

    def __init__(self, *segments: list[bytes]) -> None:
        self.disk = MemoryDisk()
        self.disk.make_directory(DIR)
        self.segments: list[PlannedSegment] = []
        for batches in segments:
            self.add(batches)

    def add(self, batches: list[bytes]) -> None:
        data = b"".join(batches)
        (base,) = struct.unpack_from(">q", data)
        path = f"{DIR}/{base:020d}.log"
        self.disk.write_atomic(path, data)
        self.disk.set_modified_ms(path, NOW - 10)
        self.segments.append(PlannedSegment(base, len(data)))

    def batches(self) -> list[Batch]:
        """Those of all segments, cleaned or not."""
        files = [self.disk.read(f"{DIR}/{segment.base_offset:020d}.log") for segment in self.segments]
        return [one for data in files for one in records.batches(data)]

    def clean(self, now: int = NOW, **fields: Any) -> Result:
        """One pass; its result takes the place of the segments."""
        buffer_bytes = fields.pop("buffer_bytes", 1 << 20)
        end = 0
        if "upper_bound_offset" not in fields:
            end = list(records.batches(self.disk.read(f"{DIR}/{self.segments[-1].base_offset:020d}.log")))[
                -1
            ].next_offset
        defaults: dict[str, Any] = {
            "first_dirty_offset": 0,
            "upper_bound_offset": end + 1,  # so that the last batch is none to be kept for its own
            "aborted": [],
            "producers": {},
            "segment_bytes": 1 << 30,
            "segment_index_bytes": 1 << 20,
            "index_interval_bytes": 4096,
            "delete_retention_ms": RETENTION,
            "now_ms": now,
        }
        run = Pass(
            self.disk,
            CleaningPlan(DIR, list(self.segments), **(defaults | fields)),
            OffsetMap(buffer_bytes, 0.9),
            chunk_bytes=fields.get("chunk_bytes", 4096),
            checkpoint=lambda _: None,
            now_ms=lambda: 0.0,
        )
        groups = list(run.groups())
        data = b"".join(self.disk.read(f"{DIR}/{group.base_offset:020d}.log.cleaned") for group in groups)
        self.segments = [segment for segment in self.segments if segment.base_offset >= run.end_offset]
        for group in reversed(groups):
            stem = f"{DIR}/{group.base_offset:020d}"
            self.disk.rename(f"{stem}.log.cleaned", f"{stem}.log")
            self.segments.insert(0, PlannedSegment(group.base_offset, group.size))
        found = list(records.batches(data))
        for one in found:
            records.validate_batch(one.view)
        return Result(found, groups, run.end_offset, run)


def clean(*batches: bytes, **fields: Any) -> Result:
    return Cleaner(list(batches)).clean(**fields)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([(0, "a", "1"), (1, "b", "1"), (2, "a", "2")], [(1, "b", "1"), (2, "a", "2")]),
        ([(0, "a", "1"), (1, None, "1"), (2, "b", "2")], [(0, "a", "1"), (2, "b", "2")]),
        ([(0, "a", "1"), (1, "", "1"), (2, "", "2")], [(0, "a", "1"), (2, "", "2")]),
        ([(0, "a", "1"), (1, "a", None)], [(1, "a", None)]),
        ([(0, "a", None), (1, "a", "1")], [(1, "a", "1")]),
        ([(0, "k" * 63, "1"), (1, "k" * 64, "1"), (2, "k" * 64, "2"), (3, "k" * 63, "2")],
         [(2, "k" * 64, "2"), (3, "k" * 63, "2")]),
        ([(0, "k" * 9000, "1"), (1, "k" * 9000, "2"), (2, "a", "v" * 9000)],
         [(1, "k" * 9000, "2"), (2, "a", "v" * 9000)]),
        ([(0, None, "1")], []),
    ],
    ids=["latest", "no key", "empty key", "tombstone", "after tombstone", "long keys", "very long", "nothing left"],
)  # fmt: skip
@pytest.mark.parametrize("codec", range(5), ids=records.codecs.NAMES)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_latest_of_each_key(given: list[Row], kept: list[Row], codec: int, one_by_one: bool) -> None:
    made = [batch(row, compression=codec) for row in given] if one_by_one else [batch(*given, compression=codec)]
    result = clean(*made)
    assert result.rows == kept
    assert result.end_offset == given[-1][0] + 2
    assert all(b.attributes & records.COMPRESSION_MASK == codec for b in result.batches)


def test_what_is_untouched_is_copied_and_what_is_rewritten_keeps_its_bounds() -> None:
    whole = batch((0, "a", "1"), (1, "b", "1"), producer_id=5, producer_epoch=2, base_sequence=10)
    cut = batch((2, "x", "1"), (3, "c", "1"), (4, "x", "2"), producer_id=5, producer_epoch=2, base_sequence=12,
                partition_leader_epoch=9)  # fmt: skip
    result = clean(whole, cut, batch((5, "x", "3")))
    assert bytes(result.batches[0].view) == whole
    one = result.batches[1]
    assert (one.base_offset, one.last_offset, one.base_sequence, one.last_sequence) == (2, 4, 12, 14)
    assert (one.producer_id, one.producer_epoch, one.partition_leader_epoch, one.count) == (5, 2, 9, 1)
    # The first record that stays gives the base timestamp, as in Kafka; the maximum is that of those that stay.
    assert one.base_timestamp == one.max_timestamp == NOW - 50 + 3
    assert result.rows == [(0, "a", "1"), (1, "b", "1"), (3, "c", "1"), (5, "x", "3")]


def test_log_append_time_stays() -> None:
    result = clean(batch((0, "a", "1"), (1, "b", "1"), (2, "a", "2"), log_append_time=NOW - 7))
    one = result.batches[0]
    assert one.attributes & LOG_APPEND_TIME
    assert one.max_timestamp == one.base_timestamp == NOW - 7
    assert {r.timestamp for r in records.iter_records(one)} == {NOW - 7}


def test_headers_and_far_timestamps_survive_a_rewrite() -> None:
    made = [
        Record(0, NOW, b"a", b"1"),
        Record(1, NOW - 10**9, b"b", b"2", (("h", b"x" * 300), ("n", None))),
        Record(2, NOW + 10**6, b"a", b"3" * 5000),
    ]
    result = clean(build_batch(made, base_offset=0))
    assert list(records.iter_records(result.batches[0])) == made[1:]
    assert result.batches[0].max_timestamp == NOW + 10**6


# -- tombstones --


def test_a_tombstone_gets_a_horizon_then_goes() -> None:
    cleaner = Cleaner([batch((0, "a", "1"), (1, "a", None), (2, "b", "1")), batch((3, "c", "1"))])
    first = cleaner.clean()
    assert first.rows == [(1, "a", None), (2, "b", "1"), (3, "c", "1")]
    assert first.batches[0].attributes & DELETE_HORIZON
    assert first.batches[0].delete_horizon_ms == NOW + RETENTION
    assert [r.timestamp for r in records.iter_records(first.batches[0])] == [NOW - 49, NOW - 48]
    assert not first.batches[1].attributes & DELETE_HORIZON
    early = cleaner.clean(NOW + RETENTION - 1)
    assert early.rows == first.rows
    assert early.batches[0].delete_horizon_ms == NOW + RETENTION, "the first horizon counts"
    late = cleaner.clean(NOW + RETENTION)
    assert late.rows == [(2, "b", "1"), (3, "c", "1")]
    assert late.batches[0].attributes & DELETE_HORIZON
    assert late.batches[0].delete_horizon_ms == NOW + RETENTION


def test_a_tombstone_behind_the_map_gets_its_horizon_too() -> None:
    # Room for two keys only: the third record is not known to the map and stays, with the batch's new horizon.
    result = clean(batch((0, "a", "1")), batch((1, "b", "1")), batch((2, "c", None)), buffer_bytes=72)
    assert result.end_offset == 2
    assert result.rows == [(0, "a", "1"), (1, "b", "1"), (2, "c", None)]
    assert result.batches[2].delete_horizon_ms == NOW + RETENTION


# -- several passes --


def test_keys_that_do_not_fit_take_several_passes() -> None:
    rows: list[Row] = [(n, f"k{n % 10}", str(n)) for n in range(40)]
    cleaner = Cleaner([batch(*rows[:25])], [batch(*rows[25:])])
    ends, first_dirty = [], 0
    for _ in range(40):
        result = cleaner.clean(first_dirty_offset=first_dirty, buffer_bytes=24 * 5, upper_bound_offset=40)
        first_dirty = result.end_offset
        ends.append(first_dirty)
        if first_dirty == 40:
            break
    assert ends == sorted(ends) and ends[0] == 4 and len(ends) > 3
    assert [row[1] for row in result.rows] == [f"k{n % 10}" for n in range(30, 40)]


@pytest.mark.parametrize("buffer_bytes", [24 * 5, 24 * 300])
def test_no_pass_holds_more_keys_than_there_is_room_for(buffer_bytes: int) -> None:
    room = OffsetMap(buffer_bytes, 0.9).capacity
    result = clean(*[batch((n, f"k{n}", "1")) for n in range(400)], buffer_bytes=buffer_bytes)
    assert result.end_offset == room
    assert result.run.stats.buffer_utilization == room / (buffer_bytes // 24)


def test_dirty_from_the_middle_of_a_batch() -> None:
    cleaner = Cleaner([batch((0, "a", "1"), (1, "b", "1"), (2, "a", "2"), (3, "c", "1"))])
    # The first two are clean already; nothing of them is in the map, so "b" stays although it is not the map's.
    assert cleaner.clean(first_dirty_offset=2).rows == [(1, "b", "1"), (2, "a", "2"), (3, "c", "1")]


# -- producers and the end of the pass --


@pytest.mark.parametrize(
    ("last", "stays"),
    [(LastRecord(1, 3), True), (LastRecord(0, 3), False), (LastRecord(None, 3), False), (None, False)],
)
def test_the_last_batch_of_a_live_producer_stays_without_records(last: LastRecord | None, stays: bool) -> None:
    old = batch((0, "a", "1"), (1, "b", "1"), producer_id=7, producer_epoch=3, base_sequence=40, compression=1)
    result = clean(old, batch((2, "a", "2"), (3, "b", "2")), producers={} if last is None else {7: last})
    assert len(result.batches) == 1 + stays
    if stays:
        empty, was = result.batches[0], next(records.batches(old))
        assert (empty.count, empty.size_bytes, empty.attributes) == (0, 61, 0)
        assert (empty.base_offset, empty.last_offset, empty.max_timestamp) == (0, 1, was.max_timestamp)
        assert (empty.producer_id, empty.producer_epoch, empty.base_sequence) == (7, 3, 40)
        assert empty.base_timestamp == -1


def test_an_empty_batch_stays_as_long_as_its_producer() -> None:
    cleaner = Cleaner([batch((0, "a", "1"), producer_id=7, producer_epoch=0, base_sequence=0)], [batch((1, "a", "2"))])
    for _ in range(2):
        result = cleaner.clean(producers={7: LastRecord(0, 0)})
        assert [b.count for b in result.batches] == [0, 1]
    assert [b.count for b in cleaner.clean().batches] == [1]


def test_the_last_batch_of_the_pass_keeps_the_end_offset() -> None:
    result = clean(batch((0, "a", "1")), batch((1, None, "1"), (2, None, "1")), upper_bound_offset=3)
    assert [(b.base_offset, b.last_offset, b.count) for b in result.batches] == [(0, 0, 1), (1, 2, 0)]


# -- transactions --


def _transaction(first: int, key: str, pid: int = 7, **fields: Any) -> bytes:
    return batch((first, key, f"t{first}"), producer_id=pid, producer_epoch=0, base_sequence=first, transactional=True,
                 **fields)  # fmt: skip


def test_aborted_records_go_at_once_and_their_marker_in_the_third_pass() -> None:
    aborted = [AbortedTxn(7, 1, 2, 3)]
    cleaner = Cleaner([batch((0, "a", "1")), _transaction(1, "a"), marker(2, CONTROL_ABORT), batch((3, "b", "1"))])
    first = cleaner.clean(aborted=aborted)
    assert first.rows == [(0, "a", "1"), (3, "b", "1")], "an aborted record replaces nothing"
    assert [b.base_offset for b in first.batches if b.attributes & CONTROL] == [2]
    assert ".txnindex" in first.groups[0].suffixes
    assert cleaner.disk.read(f"{DIR}/{0:020d}.txnindex.cleaned") == struct.pack(">hqqqq", 0, *aborted[0])
    cleaner.disk.remove(f"{DIR}/{0:020d}.txnindex.cleaned")
    second = cleaner.clean(aborted=aborted)
    assert ".txnindex" not in second.groups[0].suffixes, "readers have nothing to pass over any more"
    spent = next(b for b in second.batches if b.attributes & CONTROL)
    assert spent.delete_horizon_ms == NOW + RETENTION
    assert spent.attributes & (TRANSACTIONAL | CONTROL) == TRANSACTIONAL | CONTROL
    assert records.control_type(next(records.iter_records(spent)).key) == CONTROL_ABORT
    assert len(cleaner.clean(NOW + RETENTION - 1).batches) == 3
    assert [b.base_offset for b in cleaner.clean(NOW + RETENTION).batches] == [0, 3]


def test_a_commit_marker_stays_as_long_as_records_of_its_transaction() -> None:
    cleaner = Cleaner([_transaction(0, "a"), marker(1, CONTROL_COMMIT)], [batch((2, "b", "1"))])
    assert not any(b.attributes & DELETE_HORIZON for b in cleaner.clean().batches)
    cleaner.add([batch((3, "a", "2"))])
    assert [b.base_offset for b in cleaner.clean(first_dirty_offset=3).batches] == [1, 2, 3]
    spent = cleaner.clean()
    assert spent.batches[0].delete_horizon_ms == NOW + RETENTION
    assert [b.base_offset for b in cleaner.clean(NOW + RETENTION).batches] == [2, 3]


def test_the_marker_of_a_producer_without_records_keeps_its_epoch() -> None:
    cleaner = Cleaner([marker(0, CONTROL_COMMIT), batch((1, "a", "1"))])
    assert cleaner.clean().batches[0].delete_horizon_ms == NOW + RETENTION
    kept = cleaner.clean(NOW + RETENTION, producers={7: LastRecord(None, 0)}).batches
    assert [(b.base_offset, b.count, b.producer_epoch) for b in kept] == [(0, 0, 0), (1, 1, -1)]
    assert kept[0].attributes & CONTROL


def test_transactions_of_two_producers_and_one_that_spans_segments() -> None:
    cleaner = Cleaner(
        [_transaction(0, "a", 1), _transaction(1, "b", 2), marker(2, CONTROL_COMMIT, 2)],
        [_transaction(3, "c", 1), _transaction(4, "b", 2), marker(5, CONTROL_ABORT, 1), marker(6, CONTROL_COMMIT, 2)],
    )
    result = cleaner.clean(aborted=[AbortedTxn(1, 0, 5, 6)])
    assert result.rows == [(4, "b", "t4")]
    assert len(result.groups) == 1


def test_a_transaction_that_ended_before_the_dirty_part_is_not_taken_for_open() -> None:
    cleaner = Cleaner(
        [batch((0, "a", "1")), _transaction(1, "x"), marker(2, CONTROL_ABORT)],
        [_transaction(3, "a"), marker(4, CONTROL_COMMIT)],
    )
    result = cleaner.clean(aborted=[AbortedTxn(7, 1, 2, 3)], first_dirty_offset=3, segment_bytes=1)
    assert result.rows == [(3, "a", "t3")], "the later transaction counts, so the record before it goes"


# -- damage --


def test_a_damaged_batch_is_not_written_anew() -> None:
    data = bytearray(batch((0, "a", "1"), (1, "a", "2")))
    data[-2] ^= 1
    cleaner = Cleaner([bytes(data)])
    with pytest.raises(CorruptBatch, match="CRC"):
        cleaner.clean()
    assert cleaner.disk.list_directory(DIR) == ["00000000000000000000.log"], "nothing is left behind"


@pytest.mark.parametrize("cut", [5, 30, 70])
def test_a_file_that_ends_within_a_batch(cut: int) -> None:
    with pytest.raises(CorruptBatch):
        Cleaner([batch((0, "a", "1"))[:-1] + b"x", batch((1, "a", "2"))[:cut]]).clean(upper_bound_offset=9)


@pytest.mark.parametrize("length", [-12, -1, 0, 48, 1 << 30])
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("where", [0, 1])
def test_a_length_that_cannot_be(length: int, count: int, where: int) -> None:
    data = bytearray(batch((where, "a", "1")))
    struct.pack_into(">i", data, 8, length)
    struct.pack_into(">i", data, 57, count)
    cleaner = Cleaner([bytes(data), batch((1, "a", "2"))] if where == 0 else [batch((0, "a", "1")), bytes(data)])
    with pytest.raises(CorruptBatch):
        cleaner.clean(upper_bound_offset=9)
    cleaner.disk.remove(f"{DIR}/{0:020d}.log.cleaned")
    with pytest.raises(CorruptBatch):
        cleaner.clean(upper_bound_offset=9, first_dirty_offset=8)


def test_records_that_make_no_sense_under_a_right_crc() -> None:
    data = bytearray(batch((0, "a", "1"), (1, "a", "2")))
    struct.pack_into(">i", data, 57, 9)  # nine records
    struct.pack_into(">I", data, 17, records.crc32c(memoryview(data)[21:]))
    with pytest.raises((CorruptBatch, records.InvalidRecord)):
        clean(bytes(data))


def test_a_batch_larger_than_the_chunk() -> None:
    big = batch((0, "a", "x" * 100_000), (1, "b", "y" * 50_000), compression=0)
    assert [row[0] for row in clean(big, batch((2, "a", "2"))).rows] == [1, 2]


# -- formats 0 and 1 --


def _legacy(offset: int, key: bytes | None, value: bytes | None, magic: int = 1) -> bytes:
    def field(data: bytes | None) -> bytes:
        return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data

    body = struct.pack(">bb", magic, 0) + (struct.pack(">q", NOW) if magic else b"") + field(key) + field(value)
    return struct.pack(">qiI", offset, len(body) + 4, zlib.crc32(body)) + body


@pytest.mark.parametrize("magic", [0, 1])
def test_old_messages(magic: int) -> None:
    old = [_legacy(0, b"a", b"1", magic), _legacy(1, b"b", None, magic), _legacy(2, b"c", b"1", magic)]
    cleaner = Cleaner(old, [batch((3, "a", "2"))])
    assert [b.base_offset for b in cleaner.clean(segment_bytes=1).batches] == [1, 2, 3]
    # Their tombstones stay as long as the segment is younger than the last clean one less the retention.
    for retention_ms, left in ((1, [1, 2, 3]), (0, [2, 3])):
        late = cleaner.clean(first_dirty_offset=4, upper_bound_offset=5, delete_retention_ms=retention_ms)
        assert [b.base_offset for b in late.batches] == left


# -- segments --


@pytest.mark.parametrize(
    ("sizes", "limits", "groups"),
    [
        ([10, 10, 10], (30, 100), [3]),
        ([10, 10, 11], (30, 100), [2, 1]),
        ([40, 10, 10], (30, 100), [1, 2]),
        ([10, 10, 10], (30, 15), [1, 1, 1]),
        ([0, 0, 0], (30, 100), [3]),
        ([], (30, 100), []),
    ],
)
def test_groups_by_size(sizes: list[int], limits: tuple[int, int], groups: list[int]) -> None:
    segments = [PlannedSegment(100 * n, size) for n, size in enumerate(sizes)]
    plan = CleaningPlan(DIR, segments, 0, 1000, [], {}, limits[0], limits[1], 4096, 0, NOW)
    found = grouped(segments, [(8, 12)] * len(segments), plan)
    assert [len(group) for group in found] == groups
    assert [segment for group in found for segment in group] == segments


@pytest.mark.parametrize(("last_offset", "groups"), [((1 << 31) - 1, 1), (1 << 31, 2)])
def test_groups_by_offset_range(last_offset: int, groups: int) -> None:
    segments = [PlannedSegment(0, 10), PlannedSegment(50, 10)]
    plan = CleaningPlan(DIR, segments, 0, last_offset + 1, [], {}, 1000, 1000, 4096, 0, NOW)
    assert len(grouped(segments, [(8, 12)] * 2, plan)) == groups


def test_segments_become_one_with_indexes_and_the_age_of_the_last() -> None:
    cleaner = Cleaner(*[[batch((n, f"k{n}", "v" * 5000))] for n in range(4)])
    cleaner.disk.set_modified_ms(f"{DIR}/{3:020d}.log", NOW - 5)
    result = cleaner.clean()
    assert [group.replaced for group in result.groups] == [[PlannedSegment(n, s.size) for n, s in enumerate(
        [PlannedSegment(0, result.batches[n].size_bytes) for n in range(4)])]]  # fmt: skip
    size = result.batches[0].size_bytes
    entry = struct.Struct(">ii")
    index = cleaner.disk.read(f"{DIR}/{0:020d}.index.cleaned")
    assert list(entry.iter_unpack(index)) == [(1, size), (2, 2 * size), (3, 3 * size)]
    times = list(struct.Struct(">qi").iter_unpack(cleaner.disk.read(f"{DIR}/{0:020d}.timeindex.cleaned")))
    assert times == [(NOW - 50 + n, n) for n in (1, 2, 3)]
    assert cleaner.disk.modified_ms(f"{DIR}/{0:020d}.log") == NOW - 5


def test_a_segment_of_which_nothing_stays_is_there_and_empty() -> None:
    cleaner = Cleaner([batch((0, "a", "1"))], [batch((1, "a", "2"))])
    result = cleaner.clean(segment_bytes=1)
    assert [(group.base_offset, group.size > 0) for group in result.groups] == [(0, False), (1, True)]
    assert cleaner.disk.read(f"{DIR}/{0:020d}.timeindex.cleaned") == b""


def test_the_figures_of_a_pass() -> None:
    result = clean(batch((0, "a", "1"), (1, None, "1"), (2, "a", "2")), batch((3, "b", "1")))
    stats = result.run.stats
    assert (stats.messages_read, stats.messages_written, stats.invalid_messages) == (4, 2, 1)
    assert (stats.map_messages_read, stats.map_bytes_read) == (4, stats.bytes_read)
    assert stats.bytes_written == sum(b.size_bytes for b in result.batches)
    assert stats.buffer_utilization == 2 / ((1 << 20) // 24)
