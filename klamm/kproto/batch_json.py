"""A buffer of record batches as a JSON object, for people and for comparing with Kafka's own reading of it.

Byte strings are standard base64, hashes and payloads lower-case hex. Damage is described, never raised.
"""

from __future__ import annotations

import binascii
import hashlib
from typing import Any, Final

from klamm.kproto import compression as codecs
from klamm.kproto import records
from klamm.kproto.records import Batch, CorruptBatch, InvalidRecord, Record

PAYLOAD_HEX_BYTES_MAX: Final = 20_000
"""Decompressed payloads up to this size are shown whole; above there is only their hash."""


def describe(buffer: bytes, size_bytes_max: int = codecs.DECOMPRESSED_SIZE_BYTES_MAX) -> dict[str, Any]:
    """The batches and records of `buffer`, or where and how it is damaged.

    Readable: `magic` (-1 when versions are mixed, None without batches), `compression` of the first batch, `batches`,
    `records`, `valid` true. Damaged: `valid` false, `error` (the name of the exception that Kafka's reader raises),
    `stage` ("batches": splitting the buffer, "ensure-valid": size and CRC, "records": reading records),
    `batches_seen` and `records_seen`, what was read before that. `message` says it in words. As for Kafka's reader,
    an incomplete last batch is no damage.
    """
    shown: list[dict[str, Any]] = []
    flat: list[dict[str, Any]] = []
    batches_seen = 0
    try:
        for batch in records.batches(buffer):
            batches_seen += 1
            records.validate_batch(batch.view)
            row = _batch_json(batch)
            if batch.magic == records.MAGIC and batch.compression:
                row.update(_payload_json(records.payload(batch, size_bytes_max)))
            offsets: list[int] = []
            row["record_offsets"] = offsets
            for record in records.iter_records(batch, size_bytes_max):
                flat.append(_record_json(record, batch.is_control))
                offsets.append(record.offset)
            shown.append(row)
    except (CorruptBatch, codecs.CompressionError) as error:
        short = isinstance(error, CorruptBatch) and error.stage == "ensure-valid" and batches_seen == len(shown)
        return {
            "name": "batch",
            "valid": False,
            "error": _java_name(error),
            "stage": error.stage,
            "message": error.message,
            "batches_seen": batches_seen + short,
            "records_seen": len(flat),
        }
    magics = {row["magic"] for row in shown}
    return {
        "name": "batch",
        "magic": None if not magics else magics.pop() if len(magics) == 1 else -1,
        "compression": shown[0]["compression"] if shown else "none",
        "batches": shown,
        "records": flat,
        "valid": True,
    }


def _java_name(error: CorruptBatch | codecs.CompressionError) -> str:
    if isinstance(error, InvalidRecord):
        return "InvalidRecordException"
    if isinstance(error, CorruptBatch):
        return "CorruptRecordException"
    if isinstance(error, codecs.UnknownCompression):
        return "IllegalArgumentException"
    return "KafkaException"


def _base64(data: bytes | None) -> str | None:
    return None if data is None else binascii.b2a_base64(data, newline=False).decode()


def _batch_json(batch: Batch) -> dict[str, Any]:
    codec = batch.compression
    if codec >= len(codecs.NAMES):
        raise codecs.UnknownCompression(f"unknown compression type id {codec}")
    if batch.magic == 0:
        timestamp_type = "NoTimestampType"
    else:
        timestamp_type = "LogAppendTime" if batch.is_log_append_time else "CreateTime"
    row: dict[str, Any] = {
        "base_offset": batch.base_offset,
        "last_offset": batch.last_offset,
        "next_offset": batch.next_offset,
        "size": batch.size_bytes,
        "magic": batch.magic,
        "crc": batch.crc,
        "compression": codecs.NAMES[codec],
        "timestamp_type": timestamp_type,
        "max_timestamp": batch.max_timestamp,
        "partition_leader_epoch": batch.partition_leader_epoch,
        "producer_id": batch.producer_id,
        "producer_epoch": batch.producer_epoch,
        "base_sequence": batch.base_sequence,
        "last_sequence": batch.last_sequence,
        "transactional": batch.is_transactional,
        "control": batch.is_control,
        "delete_horizon_ms": batch.delete_horizon_ms,
        "count": None if batch.magic < records.MAGIC else batch.count,
    }
    if batch.magic == records.MAGIC:
        row["base_timestamp"] = batch.base_timestamp
        row["attributes"] = batch.attributes
        row["last_offset_delta"] = batch.last_offset_delta
    return row


def _payload_json(data: bytes) -> dict[str, Any]:
    return {
        "payload_size": len(data),
        "payload_sha256": hashlib.sha256(data).hexdigest(),
        "payload_hex": data.hex() if len(data) <= PAYLOAD_HEX_BYTES_MAX else None,
    }


def _record_json(record: Record, control: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _base64(record.key),
        "value": _base64(record.value),
        "sequence": record.sequence,
        "headers": [[name, _base64(value)] for name, value in record.headers],
    }
    if control:
        row["control_type"] = type_id = records.control_type(record.key)
        row["control_name"] = records.control_name(type_id)
    return row
