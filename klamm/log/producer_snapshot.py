"""Producer state files (`<offset>.snapshot`): the producers of a log as of the offset in the name.

int16 version 1, uint32 CRC-32C of all that follows, int32 count, then 46 bytes a producer: int64 producer id, int16
epoch, int32 last sequence, int64 last offset, int32 offset delta, int64 timestamp, int32 coordinator epoch, int64 first
offset of the open transaction (-1: none). Of the last five batches only the newest is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from klamm.kproto import records
from klamm.log.producer_state import BatchMetadata, ProducerStateEntry

VERSION: Final = 1
_HEAD: Final = struct.Struct(">hI")
_COUNT: Final = struct.Struct(">i")
_ENTRY: Final = struct.Struct(">qhiqiqiq")


class CorruptSnapshot(Exception):
    """A snapshot file that cannot be read; recovery reads the log instead."""


def row(entry: ProducerStateEntry) -> tuple[int, ...]:
    """What the file holds of a producer, in its order."""
    return (
        entry.producer_id,
        entry.producer_epoch,
        entry.last_sequence,
        entry.last_offset,
        entry.batches[-1].offset_delta if entry.batches else 0,
        entry.last_timestamp,
        entry.coordinator_epoch,
        entry.current_txn_first_offset,
    )


def encode(entries: Iterable[ProducerStateEntry]) -> bytes:
    """The file's bytes."""
    rows = [_ENTRY.pack(*row(entry)) for entry in entries]
    checked = _COUNT.pack(len(rows)) + b"".join(rows)
    return _HEAD.pack(VERSION, records.crc32c(checked)) + checked


def decode(data: bytes) -> list[ProducerStateEntry]:
    """The producers of a file. Raises CorruptSnapshot."""
    if len(data) < _HEAD.size + _COUNT.size:
        raise CorruptSnapshot(f"a snapshot of {len(data)} bytes")
    version, crc = _HEAD.unpack_from(data)
    if version != VERSION:
        raise CorruptSnapshot(f"a snapshot of version {version}, known is {VERSION}")
    checked = memoryview(data)[_HEAD.size :]
    if records.crc32c(checked) != crc:
        raise CorruptSnapshot("a snapshot with a wrong CRC")
    (count,) = _COUNT.unpack_from(checked)
    rows = checked[_COUNT.size :]
    if len(rows) != count * _ENTRY.size:
        raise CorruptSnapshot(f"a snapshot of {count} producers in {len(rows)} bytes")
    return [_entry(*row) for row in _ENTRY.iter_unpack(rows)]


def _entry(
    producer_id: int,
    epoch: int,
    last_sequence: int,
    last_offset: int,
    offset_delta: int,
    timestamp: int,
    coordinator_epoch: int,
    txn_first_offset: int,
) -> ProducerStateEntry:
    batch = BatchMetadata(last_sequence, last_offset, offset_delta, timestamp) if last_offset >= 0 else None
    return ProducerStateEntry(producer_id, epoch, coordinator_epoch, timestamp, txn_first_offset, batch)
