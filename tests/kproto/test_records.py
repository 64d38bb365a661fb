"""Version 2 batches: building, splitting, checking, patching, and the rules for control and log-append-time batches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.record.memory_records import MemoryRecords as AiokafkaRecords
from kafka.record.memory_records import MemoryRecords as KafkaPythonRecords

import klamm
from klamm.kproto import compression, errors, records
from klamm.kproto.records import Batch, CorruptBatch, InvalidRecord, Record

T0 = 1_735_689_600_000
ROWS = [
    Record(1000, T0, b"key", b"value"),
    Record(1001, T0 - 20_000, None, b"x" * 300, (("name", b"1"), ("", b""), ("ключ", None))),
    Record(1300, T0 + 9_000_000_000, b"", None),
]


def read(data: bytes) -> list[Record]:
    return [record for batch in records.batches(data) for record in records.iter_records(batch)]


def only(data: bytes | bytearray) -> Batch:
    (batch,) = records.batches(data)
    return batch


@pytest.mark.parametrize("codec", range(5))
def test_a_built_batch_reads_back(codec: int) -> None:
    data = records.build_batch(ROWS, compression=codec, partition_leader_epoch=7)
    batch = records.validate_batch(data)
    assert batch == only(data)
    assert (batch.base_offset, batch.last_offset, batch.next_offset, batch.count) == (1000, 1300, 1301, 3)
    assert (batch.base_timestamp, batch.max_timestamp, batch.partition_leader_epoch) == (T0, T0 + 9_000_000_000, 7)
    assert (batch.compression, batch.size_bytes, batch.last_sequence) == (codec, len(data), -1)
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (-1, -1, -1)
    assert not (batch.is_transactional or batch.is_control or batch.is_log_append_time or batch.delete_horizon_ms)
    assert read(data) == ROWS


@pytest.mark.parametrize("codec", range(5))
def test_other_clients_read_a_built_batch(codec: int) -> None:
    data = records.build_batch(ROWS, compression=codec)
    for peer in (KafkaPythonRecords(data), AiokafkaRecords(data)):
        batch = peer.next_batch()
        assert batch.validate_crc()
        assert [(r.offset, r.timestamp, r.key, r.value) for r in batch] == [row[:4] for row in ROWS]
        assert not peer.has_next()


def test_splitting_ignores_a_cut_last_batch_and_copies_nothing() -> None:
    one, two = records.build_batch(ROWS[:1]), records.build_batch(ROWS)
    buffer = bytearray(one + two)
    found = list(records.batches(buffer))
    assert [batch.size_bytes for batch in found] == [len(one), len(two)]
    buffer[len(one)] = 0x7F  # the views show the buffer itself
    assert found[1].view[0] == 0x7F
    for cut in range(1, len(two)):
        assert [batch.size_bytes for batch in records.batches(one + two[:-cut])] == [len(one)]


@pytest.mark.parametrize(
    ("at", "content"),
    [
        (records.BATCH_LENGTH_AT, b"\xff\xff\xff\xff"),
        (records.BATCH_LENGTH_AT, b"\x00\x00\x00\x0d"),
        (records.MAGIC_AT, b"\x03"),
        (records.MAGIC_AT, b"\xff"),
    ],
)
def test_a_buffer_that_cannot_be_split(at: int, content: bytes) -> None:
    damaged = bytearray(records.build_batch(ROWS))
    damaged[at : at + len(content)] = content
    with pytest.raises(CorruptBatch) as caught:
        list(records.batches(damaged))
    assert (caught.value.stage, caught.value.code) == ("batches", errors.CORRUPT_MESSAGE)


def test_every_flipped_bit_that_the_crc_covers_is_found() -> None:
    data = records.build_batch(ROWS[:1])
    for position in range(records.BATCH_LENGTH_AT, len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        if records.PARTITION_LEADER_EPOCH_AT <= position < records.MAGIC_AT:
            records.validate_batch(damaged)
        else:
            with pytest.raises(CorruptBatch) as caught:
                records.validate_batch(damaged)
            assert caught.value.code == errors.CORRUPT_MESSAGE


@pytest.mark.parametrize("data", [b"", b"\x00" * 17, b"\x00" * 61, records.build_batch(ROWS)[:-1]])
def test_what_is_no_whole_batch_is_not_valid(data: bytes) -> None:
    with pytest.raises(CorruptBatch):
        records.validate_batch(data)


def test_a_batch_shorter_than_its_header_is_corrupt() -> None:
    short = bytearray(records.build_batch(ROWS)[:40])
    short[records.BATCH_LENGTH_AT : records.BATCH_LENGTH_AT + 4] = (40 - records.LOG_OVERHEAD).to_bytes(4, "big")
    with pytest.raises(CorruptBatch) as caught:
        list(records.batches(short))
    assert caught.value.stage == "ensure-valid"


def test_produced_batches() -> None:
    good = only(records.build_batch(ROWS[:2], producer_id=5, producer_epoch=0, base_sequence=0))
    records.validate_produced(good)
    for change in (
        {"magic": 1},
        {"count": 0},
        {"count": -1},
        {"count": 3},
        {"last_offset_delta": 2},
        {"last_offset_delta": -1, "count": 0},
        {"attributes": records.CONTROL},
        {"base_sequence": -1},
    ):
        with pytest.raises(InvalidRecord) as caught:
            records.validate_produced(good._replace(**change))
        assert caught.value.code == errors.INVALID_RECORD


def test_placing_a_batch_keeps_its_crc() -> None:
    buffer = bytearray(b"before" + records.build_batch(ROWS))
    records.place(buffer, 77_000_000_000, 12, at=6)
    batch = records.validate_batch(memoryview(buffer)[6:])
    assert (batch.base_offset, batch.partition_leader_epoch) == (77_000_000_000, 12)
    assert [record.offset for record in records.iter_records(batch)] == [77_000_000_000 + d for d in (0, 1, 300)]


def test_log_append_time_is_the_time_of_every_record() -> None:
    stamped = bytearray(records.build_batch(ROWS, compression=compression.LZ4))
    records.set_log_append_time(stamped, T0 + 5)
    batch = records.validate_batch(stamped)
    assert batch.is_log_append_time
    assert batch.base_timestamp == T0
    assert {record.timestamp for record in records.iter_records(batch)} == {T0 + 5}
    assert stamped == records.build_batch(ROWS, compression=compression.LZ4, log_append_time=T0 + 5)
    records.set_log_append_time(stamped, T0 + 6)
    assert records.validate_batch(stamped).max_timestamp == T0 + 6


def test_a_delete_horizon_takes_the_base_timestamps_place() -> None:
    batch = only(records.build_batch(ROWS, delete_horizon_ms=T0 + 86_400_000))
    assert batch.delete_horizon_ms == batch.base_timestamp == T0 + 86_400_000
    assert list(records.iter_records(batch)) == ROWS


def test_sequences_wrap() -> None:
    batch = only(records.build_batch(ROWS[:2], producer_id=1, producer_epoch=2, base_sequence=2**31 - 1))
    assert [record.sequence for record in records.iter_records(batch)] == [2**31 - 1, 0]
    assert (batch.base_sequence, batch.last_sequence) == (2**31 - 1, 0)


def test_an_empty_batch_keeps_a_producers_state() -> None:
    data = records.build_batch(
        [], base_offset=300, last_offset=320, producer_id=42, producer_epoch=2, base_sequence=15, max_timestamp=T0
    )
    batch = records.validate_batch(data)
    assert (batch.count, batch.last_offset, batch.last_sequence, batch.max_timestamp) == (0, 320, 35, T0)
    assert list(records.iter_records(batch)) == []


def test_control_records() -> None:
    row = Record(5, T0, records.control_key(records.CONTROL_COMMIT), b"\x00\x00\x00\x00\x00\x07")
    batch = only(records.build_batch([row], control=True, transactional=True, producer_id=9, producer_epoch=0))
    assert batch.is_control
    (record,) = records.iter_records(batch)
    assert records.control_type(record.key) == records.CONTROL_COMMIT
    assert records.control_name(1) == "COMMIT"
    assert {records.control_name(n) for n in (-1, 7, 300)} == {"UNKNOWN"}
    assert records.control_type(b"\x00\x09\x00\x02 more") == records.CONTROL_LEADER_CHANGE
    for key in (None, b"", b"\x00\x00\x00", b"\xff\xff\x00\x01"):
        with pytest.raises(InvalidRecord):
            records.control_type(key)


def test_timestamps_and_offsets_wrap_as_java_longs_do() -> None:
    header = list(records.HEADER.unpack_from(records.build_batch([Record(0, 0, None, None), Record(1, 1, None, None)])))
    body = records.build_batch([Record(0, 0, None, None), Record(1, 1, None, None)])[records.HEADER_SIZE :]
    header[0] = header[7] = 2**63 - 1
    batch = only(records.HEADER.pack(*header) + body)
    assert [r[:2] for r in records.iter_records(batch)] == [(2**63 - 1, 2**63 - 1), (-(2**63), -(2**63))]


@pytest.mark.parametrize(
    ("rows", "keywords"),
    [
        ([], {}),
        ([ROWS[1], ROWS[0]], {}),
        ([ROWS[0], ROWS[0]], {}),
        (ROWS, {"base_offset": 1001}),
        (ROWS, {"last_offset": 1299}),
        (ROWS, {"base_offset": 1300 - 2**31}),
        ([Record(0, -2, None, None)], {}),
        (ROWS, {"transactional": True}),
        (ROWS, {"producer_id": 1}),
        (ROWS, {"producer_id": 1, "producer_epoch": 1}),
    ],
)
def test_what_the_builder_refuses(rows: list[Record], keywords: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        records.build_batch(rows, **keywords)


def test_importing_loads_no_codec() -> None:
    code = (
        "import sys, klamm.kproto.records as r\n"
        "slow = {'crc32c', 'lz4', 'zstandard', 'cramjam', 'zlib', 'dataclasses', 'asyncio', 'logging'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
        "r.build_batch([r.Record(0, 0, None, None)])\n"
        "assert 'crc32c' in sys.modules and 'lz4' not in sys.modules\n"
    )
    root = Path(klamm.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
