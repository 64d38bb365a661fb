"""Offsets by time agree with a search through all records."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from klamm.kproto import records
from klamm.kproto.records import Record, build_batch
from klamm.log import timestamps, upkeep
from klamm.log.log_config import INT64_MAX
from tests.log.conftest import Lab

CONFIG = {
    "internal.segment.bytes": 1500,
    "index.interval.bytes": 150,
    "segment.ms": INT64_MAX,
    "message.timestamp.after.max.ms": INT64_MAX,
}


@settings(max_examples=100, deadline=None)
@given(
    batches=st.lists(
        st.tuples(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.integers(0, 4)), min_size=1, max_size=50
    ),
    wanted=st.lists(st.integers(-1, 301), min_size=1, max_size=10),
    start=st.integers(0, 60),
    reopen=st.booleans(),
)
def test_search(batches: Any, wanted: list[int], start: int, reopen: bool) -> None:
    lab = Lab()
    log = lab.open(CONFIG)
    rows: list[tuple[int, int, int]] = []
    for times, codec in batches:
        built = build_batch([Record(n, t, b"k", b"v" * 20) for n, t in enumerate(times)], compression=codec)
        appended = lab.append(log, memoryview(bytearray(built)), epoch=codec)
        rows += [(t, appended.base_offset + n, codec) for n, t in enumerate(times)]
    if reopen:
        upkeep.close(log)
        log = lab.open(CONFIG, is_clean=True, high_watermark=log.high_watermark)
    upkeep.delete_records(log, min(start, log.high_watermark))
    rows = [row for row in rows if row[1] >= log.log_start_offset]
    for timestamp in wanted:
        expected = next((row for row in rows if row[0] >= timestamp), None)
        assert timestamps.offset_for_timestamp(log, timestamp) == expected
    if not start:
        highest = max(row[0] for row in rows)
        assert timestamps.max_timestamp(log) == next(row for row in rows if row[0] == highest)


def test_without_records_or_timestamps(lab: Any) -> None:
    log = lab.open()
    assert timestamps.offset_for_timestamp(log, 0) is None and timestamps.max_timestamp(log) is None
    lab.append(log, lab.batch(timestamp=records.NO_TIMESTAMP))
    assert timestamps.offset_for_timestamp(log, 0) is None and timestamps.max_timestamp(log) is None


def test_the_largest_timestamp_may_be_of_a_deleted_record(lab: Any) -> None:
    log = lab.open()
    for timestamp in (1, 9, 2, 3):
        lab.append(log, lab.batch(timestamp=timestamp))
    upkeep.delete_records(log, 2)
    assert timestamps.max_timestamp(log) == (9, 1, 0)
    assert timestamps.offset_for_timestamp(log, 1) == (2, 2, 0)


def test_log_append_time(lab: Any) -> None:
    log = lab.open({"message.timestamp.type": "LogAppendTime"})
    lab.append(log, lab.batch(3, timestamp=5))
    first = lab.clock.time_ms()
    lab.clock.advance(100)
    lab.append(log, lab.batch(3, timestamp=5))
    assert timestamps.offset_for_timestamp(log, first + 1) == (first + 100, 3, 0)
    assert timestamps.max_timestamp(log) == (first + 100, 3, 0)
