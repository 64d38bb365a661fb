"""What a leader asks of a batch before it takes it, and how it is stored when that differs from how it came.

The slow but complete way for batches that the fast path of `PartitionLog.append_as_leader` does not take: control and
transactional batches, log-append time, another codec, compacted topics, timestamp bounds. Error codes are Kafka's.
"""

from __future__ import annotations

import struct
from typing import Final

from klamm.kproto import compression, errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import Batch
from klamm.log.log_config import INT64_MAX, LogConfig

_UINT32: Final = struct.Struct(">I")

CLIENT: Final = 0
"""Who appends: a client by Produce."""
COORDINATOR: Final = 1
"""Who appends: the broker itself (offset commits, transaction markers, coordinator state)."""
RAFT_LEADER: Final = 2
"""Who appends: the leader of the metadata quorum; its epoch stands in the batch and size limits do not hold."""


class InvalidRecords(KafkaError):
    """Some records of a batch are refused, and so the whole batch. `record_errors`: (index in the batch, why) each."""

    def __init__(self, code: int, message: str, record_errors: list[tuple[int, str]]) -> None:
        super().__init__(code, message)
        self.record_errors = record_errors


class NotOneBatch(KafkaError):
    """An append holds something else than one batch of version 2: Kafka refuses it before it looks at the log."""

    def __init__(self, message: str) -> None:
        super().__init__(errors.INVALID_RECORD, message)


def first_batch(data: memoryview, origin: int, config: LogConfig) -> Batch:
    """The one batch that an append by a leader may hold; bytes of a cut batch behind it are left out.

    Raises KafkaError: INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE.
    """
    found = records.batches(data)
    batch = next(found, None)
    if batch is None:
        raise NotOneBatch("the append holds no record batch")
    if batch.magic != records.MAGIC:
        raise NotOneBatch(f"the append holds a batch of version {batch.magic}, only version 2 is taken")
    if origin == CLIENT and batch.base_offset != 0:
        raise KafkaError(errors.INVALID_RECORD, f"the base offset of the batch is {batch.base_offset}, must be 0")
    if origin != RAFT_LEADER and batch.size_bytes > config.max_message_bytes:
        raise too_large(batch.size_bytes, config)
    records.validate_batch(batch.view)
    if next(found, None) is not None:
        raise NotOneBatch("the append holds more than one record batch")
    return batch


def too_large(size: int, config: LogConfig) -> KafkaError:
    return KafkaError(
        errors.MESSAGE_TOO_LARGE,
        f"the record batch has {size} bytes, max.message.bytes allows {config.max_message_bytes}",
    )


def prepare(data: memoryview, origin: int, config: LogConfig, now_ms: int) -> memoryview:
    """Check an append and give its one batch in the form in which it is to be stored (writable).

    `data` itself is patched where that is enough. Raises KafkaError; InvalidRecords when single records are at fault.
    """
    batch = first_batch(data, origin, config)
    if origin == CLIENT:
        records.validate_produced(batch)
    elif batch.count > 0 and batch.last_offset_delta + 1 != batch.count:
        raise KafkaError(errors.INVALID_RECORD, "the offsets of the batch have gaps")
    if batch.compression > compression.ZSTD:
        raise KafkaError(errors.UNSUPPORTED_COMPRESSION_TYPE, f"unknown compression type {batch.compression}")
    if origin == CLIENT and config.is_log_append_time and batch.is_log_append_time:
        raise KafkaError(errors.INVALID_TIMESTAMP, "the producer claims log append time, which only the broker sets")
    view = batch.view if not batch.view.readonly else memoryview(bytearray(batch.view))
    if origin == CLIENT:
        codec = batch.compression if config.target_codec is None else config.target_codec
        if config.is_compact or codec != batch.compression or not _timestamps_in_bounds(batch, config, now_ms):
            rows = list(records.iter_records(batch))
            _check_records(rows, config, now_ms)
            if codec != batch.compression:
                view = _rebuild(batch, rows, codec, config)
                if len(view) > config.max_message_bytes:
                    raise too_large(len(view), config)
    if config.is_log_append_time:
        records.set_log_append_time(view, now_ms)
    elif batch.is_log_append_time:
        _set_create_time(view)
    return view


def _set_create_time(view: memoryview) -> None:
    """Take back a producer's claim of log append time, as Kafka does on a topic with create time."""
    low = records.ATTRIBUTES_AT + 1
    view[low] &= ~records.LOG_APPEND_TIME & 0xFF
    _UINT32.pack_into(view, records.CRC_AT, records.crc32c(view[records.ATTRIBUTES_AT :]))


def _timestamps_in_bounds(batch: Batch, config: LogConfig, now_ms: int) -> bool:
    """Whether the header alone tells that every timestamp is allowed; -1 stands for no timestamp and always is."""
    if config.is_log_append_time:
        return True
    if batch.max_timestamp - now_ms > config.message_timestamp_after_max_ms:
        return False
    # The base timestamp is the first record's, which need not be the lowest.
    return config.message_timestamp_before_max_ms == INT64_MAX


def _check_records(rows: list[records.Record], config: LogConfig, now_ms: int) -> None:
    record_errors: list[tuple[int, str]] = []
    code = errors.INVALID_RECORD
    earliest = now_ms - config.message_timestamp_before_max_ms
    latest = now_ms + config.message_timestamp_after_max_ms
    for index, row in enumerate(rows):
        if row.key is None and config.is_compact:
            record_errors.append((index, "Compacted topic cannot accept message without key."))
        elif (
            not config.is_log_append_time
            and row.timestamp != records.NO_TIMESTAMP
            and not earliest <= row.timestamp <= latest
        ):
            # One wrong timestamp decides the code, whatever else is wrong.
            code = errors.INVALID_TIMESTAMP
            record_errors.append((index, f"Timestamp {row.timestamp} is not within [{earliest}, {latest}]."))
    if record_errors:
        reason = "timestamp" if code == errors.INVALID_TIMESTAMP else "records"
        raise InvalidRecords(code, f"One or more records have been rejected due to invalid {reason}.", record_errors)


def _rebuild(batch: Batch, rows: list[records.Record], codec: int, config: LogConfig) -> memoryview:
    """The same records under another codec (`compression.type` of the topic)."""
    built = records.build_batch(
        rows,
        base_offset=batch.base_offset,
        last_offset=batch.last_offset,
        compression=codec,
        compression_level=config.compression_level(codec),
        producer_id=batch.producer_id,
        producer_epoch=batch.producer_epoch,
        base_sequence=batch.base_sequence,
        transactional=batch.is_transactional,
    )
    return memoryview(bytearray(built))
