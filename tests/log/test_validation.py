"""What a leader refuses, with Kafka's codes, and in which form it stores what it takes."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import Record, build_batch
from klamm.log.validation import COORDINATOR, RAFT_LEADER, InvalidRecords


def stored(log: Any) -> list[records.Batch]:
    return list(records.batches(log.read(0, 1 << 20, max_offset=log.log_end_offset).data))


def patched(batch: memoryview, form: str, at: int, value: int) -> memoryview:
    """`batch` with a header field changed and the CRC made right again."""
    struct.pack_into(form, batch, at, value)
    struct.pack_into(">I", batch, records.CRC_AT, records.crc32c(batch[records.ATTRIBUTES_AT :]))
    return batch


def refusal(lab: Any, log: Any, batch: memoryview, **kwargs: Any) -> KafkaError:
    with pytest.raises(KafkaError) as caught:
        lab.append(log, batch, **kwargs)
    assert log.next_offset == log.log_end_offset and not log.has_pending_writes
    return caught.value


REFUSED = {
    "empty": (lambda lab: memoryview(bytearray()), errors.INVALID_RECORD),
    "header cut": (lambda lab: lab.batch()[:60], errors.INVALID_RECORD),
    "body cut": (lambda lab: lab.batch()[:-1], errors.INVALID_RECORD),
    "size below the header": (lambda lab: patched(lab.batch(), ">i", 8, 40), errors.CORRUPT_MESSAGE),
    "size negative": (lambda lab: patched(lab.batch(), ">i", 8, -1), errors.CORRUPT_MESSAGE),
    "magic 1": (lambda lab: patched(lab.batch(), "b", 16, 1), errors.INVALID_RECORD),
    "magic 3": (lambda lab: patched(lab.batch(), "b", 16, 3), errors.CORRUPT_MESSAGE),
    "base offset": (lambda lab: patched(lab.batch(), ">q", 0, 5), errors.INVALID_RECORD),
    "crc": (lambda lab: flipped(lab.batch()), errors.CORRUPT_MESSAGE),
    "two batches": (lambda lab: twice(lab.batch()), errors.INVALID_RECORD),
    "count": (lambda lab: patched(lab.batch(3), ">i", 57, 2), errors.INVALID_RECORD),
    "count zero": (lambda lab: patched(lab.batch(1), ">i", 57, 0), errors.INVALID_RECORD),
    "delta negative": (lambda lab: patched(patched(lab.batch(1), ">i", 57, 0), ">i", 23, -1), errors.INVALID_RECORD),
    "control": (lambda lab: patched(lab.batch(), ">h", 21, 0x20), errors.INVALID_RECORD),
    "codec 5": (lambda lab: patched(lab.batch(), ">h", 21, 5), errors.UNSUPPORTED_COMPRESSION_TYPE),
    "no sequence": (
        lambda lab: patched(lab.batch(producer_id=1, producer_epoch=0, base_sequence=0), ">i", 53, -1),
        errors.INVALID_RECORD,
    ),
    "too large": (lambda lab: lab.batch(size=5000), errors.MESSAGE_TOO_LARGE),
    "far future": (lambda lab: lab.batch(timestamp=lab.clock.time_ms() + 3_600_001), errors.INVALID_TIMESTAMP),
}


def flipped(batch: memoryview) -> memoryview:
    batch[-1] ^= 1
    return batch


def twice(batch: memoryview) -> memoryview:
    return memoryview(bytearray(bytes(batch) * 2))


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("policy", ["delete", "compact"])
def test_refused(lab: Any, case: str, policy: str) -> None:
    make, code = REFUSED[case]
    log = lab.open({"max.message.bytes": 4000, "cleanup.policy": policy})
    assert refusal(lab, log, make(lab)).code == code
    assert lab.append(log).base_offset == 0


def test_larger_than_a_segment(lab: Any) -> None:
    log = lab.open({"internal.segment.bytes": 1000})
    assert refusal(lab, log, lab.batch(size=1000)).code == errors.RECORD_LIST_TOO_LARGE


def test_trailing_bytes_of_a_cut_batch_are_left_out(lab: Any) -> None:
    log = lab.open()
    one = bytes(lab.batch())
    lab.append(log, memoryview(bytearray(one + one[:-1])))
    assert log.size_bytes == len(one)


def test_the_edge_of_the_future_is_allowed(lab: Any) -> None:
    log = lab.open()
    lab.append(log, lab.batch(timestamp=lab.clock.time_ms() + 3_600_000))
    lab.append(log, lab.batch(timestamp=-1))


def test_timestamp_before(lab: Any) -> None:
    log = lab.open({"message.timestamp.before.max.ms": 1000})
    now = lab.clock.time_ms()
    lab.append(log, lab.batch(3, timestamp=now - 1000))
    error = refusal(lab, log, lab.batch(3, timestamp=now - 1002))
    assert isinstance(error, InvalidRecords) and error.code == errors.INVALID_TIMESTAMP
    assert [index for index, _ in error.record_errors] == [0, 1]


def test_keyless_on_a_compacted_topic(lab: Any) -> None:
    log = lab.open({"cleanup.policy": "compact"})
    now = lab.clock.time_ms()
    rows = [Record(0, now, b"a", b""), Record(1, now, None, b""), Record(2, now, b"", None), Record(3, now, None, None)]
    for codec in range(5):
        error = refusal(lab, log, memoryview(bytearray(build_batch(rows, compression=codec))))
        assert isinstance(error, InvalidRecords) and error.code == errors.INVALID_RECORD
        assert [index for index, _ in error.record_errors] == [1, 3]
    lab.append(log, memoryview(bytearray(build_batch(rows[:1]))))
    assert log.log_end_offset == 1


def test_a_wrong_timestamp_decides_the_code(lab: Any) -> None:
    log = lab.open({"cleanup.policy": "compact"})
    rows = [Record(0, 0, None, b""), Record(1, lab.clock.time_ms() + 10_000_000, b"a", b"")]
    error = refusal(lab, log, memoryview(bytearray(build_batch(rows))))
    assert error.code == errors.INVALID_TIMESTAMP and isinstance(error, InvalidRecords)
    assert [index for index, _ in error.record_errors] == [0, 1]


@pytest.mark.parametrize("codec", range(5))
def test_log_append_time(lab: Any, codec: int) -> None:
    log = lab.open({"message.timestamp.type": "LogAppendTime"})
    lab.clock.advance(77)
    # Bounds do not hold for log append time.
    appended = lab.append(log, lab.batch(3, timestamp=5, compression=codec))
    assert appended.log_append_time_ms == lab.clock.time_ms()
    (batch,) = stored(log)
    records.validate_batch(batch.view)
    assert batch.is_log_append_time and batch.max_timestamp == lab.clock.time_ms() and batch.compression == codec
    assert [r.timestamp for r in records.iter_records(batch)] == [lab.clock.time_ms()] * 3


def test_a_producer_may_not_claim_log_append_time(lab: Any) -> None:
    claim = lab.batch(log_append_time=lab.clock.time_ms())
    log = lab.open({"message.timestamp.type": "LogAppendTime"})
    assert refusal(lab, log, claim).code == errors.INVALID_TIMESTAMP


def test_claimed_log_append_time_is_undone_on_a_topic_with_create_time(lab: Any) -> None:
    log = lab.open()
    lab.append(log, lab.batch(log_append_time=lab.clock.time_ms()))
    (batch,) = stored(log)
    records.validate_batch(batch.view)
    assert not batch.is_log_append_time


@pytest.mark.parametrize("target", ["uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"])
@pytest.mark.parametrize("codec", range(5))
def test_compression_type(lab: Any, target: str, codec: int) -> None:
    log = lab.open({"compression.type": target})
    sent = lab.batch(20, compression=codec, producer_id=4, producer_epoch=1, base_sequence=0)
    lab.append(log, lab.batch(1))
    appended = lab.append(log, memoryview(bytearray(sent)))
    assert (appended.base_offset, appended.last_offset) == (1, 20)
    batch = stored(log)[1]
    records.validate_batch(batch.view)
    names = ["uncompressed", "gzip", "snappy", "lz4", "zstd"]
    assert batch.compression == (codec if target == "producer" else names.index(target))
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence, batch.count) == (4, 1, 0, 20)
    (before,) = records.batches(sent)
    assert [r[1:5] for r in records.iter_records(batch)] == [r[1:5] for r in records.iter_records(before)]


def test_recompression_may_exceed_the_limit(lab: Any) -> None:
    log = lab.open({"compression.type": "uncompressed", "max.message.bytes": 2000})
    assert refusal(lab, log, lab.batch(10, size=1000, compression=1)).code == errors.MESSAGE_TOO_LARGE


def test_a_batch_that_does_not_open(lab: Any) -> None:
    log = lab.open({"compression.type": "lz4"})
    batch = lab.batch(3, compression=4)
    batch[70] ^= 0xFF
    patched(batch, ">i", 57, 3)
    with pytest.raises(KafkaError):
        lab.append(log, batch)


def test_coordinators_write_control_batches(lab: Any) -> None:
    log = lab.open({"cleanup.policy": "compact"})
    marker = build_batch(
        [Record(0, 0, records.control_key(records.CONTROL_COMMIT), struct.pack(">hi", 0, 3))],
        producer_id=1, producer_epoch=0, transactional=True, control=True,
    )  # fmt: skip
    lab.append(log, memoryview(bytearray(marker)), origin=COORDINATOR)
    assert log.log_end_offset == 1


def test_the_quorum_leader_has_no_size_limit(lab: Any) -> None:
    log = lab.open({"max.message.bytes": 100})
    batch = lab.batch(size=1000)
    lab.append(log, patched(batch, ">q", 0, 0), epoch=4, origin=RAFT_LEADER)
    assert log.epochs.entries() == [(4, 0)]
