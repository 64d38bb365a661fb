"""Any bytes give batches and records or a ProtocolError, within memory bounded by the input and the limit."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from klamm.kproto import batch_json, compression, records
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.record_codec import decode_records
from klamm.kproto.records import Record
from klamm.kproto.varint import read_varint, read_varlong, write_varint

LIMIT = 1 << 20
KAFKAS = [
    bytes.fromhex(json.loads(line)["hex"])
    for line in gzip.decompress((Path(__file__).parents[1] / "data" / "batches.jsonl.gz").read_bytes()).splitlines()
]
SMALL = [data for data in KAFKAS if len(data) <= 2000]

ints64 = st.integers(-(2**63), 2**63 - 1)
timestamps = st.integers(-1, 2**63 - 1) | st.integers(1_700_000_000_000, 1_800_000_000_000)
blobs = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(max_size=20), blobs), max_size=4).map(tuple)
gaps = st.lists(st.tuples(st.integers(1, 300), timestamps, blobs, blobs, headers), min_size=1, max_size=30)


def read_all(data: bytes) -> None:
    for batch in records.batches(data):
        try:
            records.validate_batch(batch.view)
        except ProtocolError:
            pass
        for record in records.iter_records(batch, LIMIT):
            assert -(2**63) <= record.offset < 2**63
            assert -(2**63) <= record.timestamp < 2**63


def with_crc(data: bytearray) -> bytes:
    """Make the checksum of the first batch right again, so that the damage behind it is reached."""
    if len(data) > 61 and data[16] == 2:
        data[17:21] = struct.pack(">I", records.crc32c(memoryview(data)[21:]))
    elif len(data) > 26:
        data[12:16] = struct.pack(">I", zlib.crc32(data[16:]))
    return bytes(data)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes(data: bytes) -> None:
    for candidate in (data, struct.pack(">qi", 0, max(0, len(data) - 12)) + data[12:]):
        try:
            read_all(candidate)
        except ProtocolError:
            pass
        batch_json.describe(candidate, LIMIT)


@given(
    st.sampled_from(SMALL), st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), max_size=4), st.booleans()
)
@settings(max_examples=1500, deadline=None)
def test_damaged_batches(data: bytes, flips: list[tuple[int, int]], mend: bool) -> None:
    damaged = bytearray(data)
    for position, mask in flips:
        damaged[position % len(damaged)] ^= mask
    candidate = with_crc(damaged) if mend else bytes(damaged)
    try:
        read_all(candidate)
    except ProtocolError as error:
        assert isinstance(error, KafkaError)
    described = batch_json.describe(candidate, LIMIT)
    assert described["valid"] or described["error"]
    json.dumps(described)


@given(st.integers(-1, 4), st.binary(max_size=300), ints64, ints64, st.integers(-1, 2**31 - 1))
@settings(max_examples=500, deadline=None)
@example(2**31 - 1, b"", 0, 0, -1)
@example(1, b"\x0c\x00\x00\x00\x01\x01\xfe\xff\xff\xff\x0f", 0, 0, -1)  # 2^31 headers
def test_any_record_bytes(count: int, data: bytes, base_offset: int, base_timestamp: int, base_sequence: int) -> None:
    try:
        found = list(decode_records(data, count, base_offset, base_timestamp, None, base_sequence))
    except ProtocolError:
        return
    assert len(found) == max(count, 0)


@given(gaps, st.integers(0, 2**40), st.integers(0, 4), st.booleans(), st.none() | st.integers(0, 2**50))
@settings(max_examples=300, deadline=None)
def test_round_trip(
    rows: list[tuple[int, int, bytes | None, bytes | None, records.Headers]],
    base_offset: int,
    codec: int,
    idempotent: bool,
    log_append_time: int | None,
) -> None:
    given_records: list[Record] = []
    offset = base_offset
    for gap, timestamp, key, value, named in rows:
        sequence = records.add_sequence(2**31 - 5, offset - base_offset) if idempotent else -1
        given_records.append(Record(offset, timestamp, key, value, named, sequence))
        offset += gap
    data = records.build_batch(
        given_records,
        compression=codec,
        log_append_time=log_append_time,
        producer_id=7 if idempotent else -1,
        producer_epoch=1 if idempotent else -1,
        base_sequence=2**31 - 5 if idempotent else -1,
    )
    (batch,) = records.batches(data)
    assert records.validate_batch(data) == batch
    read = list(records.iter_records(batch))
    if log_append_time is not None:
        assert {record.timestamp for record in read} == {log_append_time}
        read = [record._replace(timestamp=row.timestamp) for record, row in zip(read, given_records, strict=True)]
    assert read == given_records


@given(st.integers(-(2**31), 2**31 - 1), ints64)
@settings(deadline=None)
@example(-(2**31), -(2**63))
def test_varints(small: int, large: int) -> None:
    encoded = write_varint(small)
    assert read_varint(b"\x00" + encoded, 1) == (small, 1 + len(encoded))
    assert len(encoded) <= 5
    encoded = write_varint(large)
    assert read_varlong(encoded + b"\xff", 0) == (large, len(encoded))
    assert len(encoded) <= 10


def test_long_and_cut_varints() -> None:
    assert read_varint(b"\x82\x80\x80\x80\x00", 0) == (1, 5)  # a longer form than needed is accepted
    assert read_varint(b"\xff\xff\xff\xff\x7f", 0) == (-(2**31), 5)  # surplus bits are dropped
    for read in (read_varint, read_varlong):
        with pytest.raises(ValueError, match="more than"):
            read(b"\x80" * 10 + b"\x01", 0)
        for cut in (b"", b"\x80", b"\x80\x80"):
            with pytest.raises(IndexError):
                read(cut, 0)


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
@pytest.mark.parametrize("magic", [0, 1, 2])
def test_a_compression_bomb_is_refused(codec: int, magic: int) -> None:
    packed = compression.compress(codec, bytes(64 * LIMIT))
    if magic == 2:
        tail = struct.pack(">hiqqqhii", codec, 0, 0, 0, -1, -1, -1, 1) + packed
        head = struct.pack(">qiibI", 0, 9 + len(tail), 0, 2, records.crc32c(tail))
        data = head + tail
    else:
        body = struct.pack(">bb", magic, codec) + bytes(8 * magic) + struct.pack(">ii", -1, len(packed)) + packed
        data = struct.pack(">qiI", 0, 4 + len(body), zlib.crc32(body)) + body
    (batch,) = records.batches(data)
    with pytest.raises(ProtocolError):
        list(records.iter_records(batch, LIMIT))
    assert batch_json.describe(data, LIMIT)["stage"] == "records"


def test_memory_is_bounded_by_the_input() -> None:
    """Counts and lengths are claims: two billion records, headers or key bytes in 70 bytes allocate nothing."""
    batch = bytearray(records.build_batch([Record(0, 0, b"k", b"v", (("h", b"1"),))]))
    most = write_varint(2**31 - 1)
    candidates = [batch[:57] + struct.pack(">i", 2**31 - 1) + batch[61:]]
    candidates += [batch[:at] + most + batch[at + 1 :] for at in range(61, len(batch))]
    tracemalloc.start()
    try:
        for candidate in candidates:
            candidate[8:12] = struct.pack(">i", len(candidate) - 12)
            with pytest.raises(ProtocolError):
                read_all(with_crc(candidate))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
