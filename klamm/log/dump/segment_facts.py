"""Facts of segments and metadata snapshots: batches, and on request records with their contents."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from klamm.kproto import compression as codecs
from klamm.kproto import records
from klamm.kproto.errors import ProtocolError
from klamm.kproto.record_decoders import STRING, Decoder, decode_control, decoder_of_topic, record_decoder
from klamm.kproto.records import Batch, Record
from klamm.log.dump.batch_walk import BatchAt, Unreadable, records_of, walk
from klamm.log.dump.data_files import LOG, DataFile
from klamm.log.dump.facts import DumpOptions, Fact, Facts, damage

if TYPE_CHECKING:
    from klamm.log.disk import Disk


def segment_facts(disk: Disk, file: DataFile, options: DumpOptions) -> Facts:
    """`log_start` or `snapshot_start`, then `batch` and `record`, `non_consecutive`, `trailing_bytes`, `damage`."""
    name, origin = _choose_decoder(file, options)
    start: Fact = {"fact": "log_start" if file.kind == LOG else "snapshot_start", "file": file.path}
    if file.kind == LOG:
        start["base_offset"] = file.offset
    elif file.offset >= 0:
        start |= {"end_offset": file.offset, "epoch": file.epoch}
    else:
        start["is_bootstrap"] = True
    yield start | {"size": disk.size(file.path), "decoder": name, "decoder_from": origin}
    contents = options.print_data_log or name != STRING or origin == "option"
    decoder = record_decoder(name) if contents else None
    opened = disk.open(file.path)
    try:
        end = None if options.max_bytes is None else options.max_bytes
        last_offset: int | None = None
        for step in walk(opened, 0, end, options.progress):
            if isinstance(step, Unreadable):
                yield from _stop(file, step, options)
                return
            yield _batch_fact(file.path, step)
            if step.batch.compression >= len(codecs.NAMES):
                message = f"the compression type {step.batch.compression} is unknown"
                yield damage(file.path, message, position=step.position, base_offset=step.batch.base_offset)
            elif contents or options.deep_iteration:
                try:
                    for record in records_of(step.batch):
                        if last_offset is not None and record.offset != last_offset + 1:
                            yield {
                                "fact": "non_consecutive",
                                "file": file.path,
                                "offset": last_offset,
                                "next_offset": record.offset,
                            }
                        last_offset = record.offset
                        yield _record_fact(file.path, step.batch, record, decoder, options.skip_record_metadata)
                except ProtocolError as error:
                    yield damage(file.path, str(error), position=step.position, base_offset=step.batch.base_offset)
    finally:
        opened.close()


def _choose_decoder(file: DataFile, options: DumpOptions) -> tuple[str, str]:
    if options.decoder is not None:
        return options.decoder, "option"
    guessed = decoder_of_topic(file.topic) if file.topic is not None and options.is_decoder_guessed else None
    return (guessed, "directory") if guessed is not None else (STRING, "default")


def _stop(file: DataFile, step: Unreadable, options: DumpOptions) -> Facts:
    if not step.is_torn:
        yield damage(file.path, step.error, position=step.position, size=step.size_bytes)
    elif options.max_bytes is None:
        yield {
            "fact": "trailing_bytes",
            "file": file.path,
            "position": step.position,
            "size": step.size_bytes,
            "message": step.error,
        }


def timestamp_type(batch: Batch) -> str:
    """Kafka's name of what the timestamps of a batch are."""
    if batch.magic == 0:
        return "NoTimestampType"
    return "LogAppendTime" if batch.is_log_append_time else "CreateTime"


def _codec_name(codec: int) -> str:
    return codecs.NAMES[codec] if codec < len(codecs.NAMES) else f"unknown ({codec})"


def _batch_fact(path: str, step: BatchAt) -> Fact:
    batch = step.batch
    fact: Fact = {"fact": "batch", "file": path}
    if batch.magic >= records.MAGIC:
        fact |= {
            "base_offset": batch.base_offset,
            "last_offset": batch.last_offset,
            "count": batch.count,
            "base_sequence": batch.base_sequence,
            "last_sequence": batch.last_sequence,
            "producer_id": batch.producer_id,
            "producer_epoch": batch.producer_epoch,
            "partition_leader_epoch": batch.partition_leader_epoch,
            "is_transactional": batch.is_transactional,
            "is_control": batch.is_control,
            "delete_horizon_ms": batch.delete_horizon_ms,
        }
    else:
        fact["last_offset"] = batch.last_offset
    fact |= {
        "position": step.position,
        "timestamp_type": timestamp_type(batch),
        "max_timestamp": batch.max_timestamp,
        "size": batch.size_bytes,
        "magic": batch.magic,
        "compression": _codec_name(batch.compression),
        "crc": batch.crc,
        "is_valid": step.error is None,
    }
    if step.error is not None:
        fact["message"] = step.error
    return fact


def _record_fact(path: str, batch: Batch, record: Record, decoder: Decoder | None, is_bare: bool) -> Fact:
    fact: Fact = {"fact": "record", "file": path, "offset": record.offset}
    if not is_bare:
        fact |= {
            "timestamp": record.timestamp,
            "key_size": -1 if record.key is None else len(record.key),
            "value_size": -1 if record.value is None else len(record.value),
        }
        if batch.magic >= records.MAGIC:
            fact["sequence"] = record.sequence
            fact["header_keys"] = [name for name, _ in record.headers]
        if batch.is_control:
            fact |= decode_control(record)
    if decoder is not None and not batch.is_control:
        decoded = decoder(record)
        fact |= {"key": decoded.key, "value": decoded.value}
        if decoded.error is not None:
            fact["error"] = decoded.error
        _add_lossless(fact, record)
        if record.headers:
            fact["headers"] = [[name, None if value is None else _shown(value)] for name, value in record.headers]
    return fact


def _add_lossless(fact: Fact, record: Record) -> None:
    """Beside a text in which bytes were replaced stand the bytes, in base64."""
    for name, data in (("key", record.key), ("value", record.value)):
        if data is not None and isinstance(fact[name], str) and "\ufffd" in fact[name]:
            fact[f"{name}_base64"] = base64.b64encode(data).decode()


def _shown(value: bytes) -> Any:
    """A header's value: text, or {"base64"} where it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
