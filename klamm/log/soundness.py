"""Reading a segment anew: how far it is sound, and what its batches say of indexes, epochs and producers.

A batch is sound when it is whole, its CRC is right and its offsets come after those before it. All that a start after
a crash needs is taken in one pass, and memory stays bounded whatever a length field says.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import records
from klamm.kproto.records import HEADER, HEADER_SIZE, LOG_OVERHEAD, MAGIC, NO_TIMESTAMP
from klamm.log.offset_index import OffsetIndex
from klamm.log.producer_replay import aborted_of, take_batch
from klamm.log.time_index import TimeIndex

if TYPE_CHECKING:
    from klamm.log.disk import File
    from klamm.log.epoch_checkpoint import LeaderEpochs
    from klamm.log.producer_state import ProducerState
    from klamm.log.segment import BatchHeader, LogSegment
    from klamm.log.txn_index import AbortedTxn

_LEGACY: Final = struct.Struct(">qiIbb")
"""offset, size, crc, magic, attributes of a message of version 0 or 1."""
_INT64: Final = struct.Struct(">q")
_LEGACY_TIMESTAMP_AT: Final = 18
_LEGACY_SIZE_MIN: Final = 14
_SIZE_MIN: Final = HEADER_SIZE - LOG_OVERHEAD
_WINDOW_BYTES: Final = 1 << 18
"""What is read at once: the CRC finds it in the processor's cache."""
_BATCH_IN_WINDOW_MAX: Final = 1 << 22
"""Larger batches are checked piece by piece."""
_OFFSET_SPAN_MAX: Final = (1 << 31) - 1
"""Offsets of a segment are kept as int32 relative to its base."""


class SoundPart(NamedTuple):
    """The part of a segment that is sound, from its start on."""

    size: int
    next_offset: int
    """The offset behind its last batch; the base offset without any."""
    offset_index: OffsetIndex
    time_index: TimeIndex
    bytes_since_index_entry: int
    max_timestamp: int
    max_timestamp_offset: int
    first_timestamp: int | None
    aborted: list[AbortedTxn]
    overflows: bool
    """Whether it ends only because the next batch, sound as it is, is too far from the base offset."""
    first_offset: int | None
    """The offset of the first batch whose CRC is right, even if it does not belong here."""


def read_sound(segment: LogSegment, size: int, epochs: LeaderEpochs, producers: ProducerState) -> SoundPart:
    """Read the first `size` bytes of a segment; `epochs` and `producers` are those before it, and are brought on.

    Raises OSError.
    """
    file, base_offset, interval = segment.file, segment.base_offset, segment.index_interval_bytes
    offset_index, time_index = OffsetIndex(base_offset), TimeIndex(base_offset)
    max_timestamp, max_timestamp_offset, first_timestamp = NO_TIMESTAMP, base_offset, None
    aborted: list[AbortedTxn] = []
    unpack, crc32c, latest_epoch = HEADER.unpack_from, _crc32c(), epochs.latest_epoch
    expected, first_offset, overflows = base_offset, None, False
    window, have, at, position, since_entry = memoryview(b""), 0, 0, 0, 0
    # Kafka takes no batch whose magic would be the last byte of the file.
    while position < size - records.MAGIC_AT - 1:
        if have - at < HEADER_SIZE:
            window = memoryview(file.pread(min(_WINDOW_BYTES, size - position), position))
            have, at = len(window), 0
        header: BatchHeader | None = unpack(window, at) if have - at >= HEADER_SIZE else None
        if header is None or header[3] != MAGIC:
            header = _legacy_header(file, window[at:], position, size)
            if header is None:
                break
            total = header[1] + LOG_OVERHEAD
        else:
            total = header[1] + LOG_OVERHEAD
            if total < HEADER_SIZE or total > size - position:
                break
            if total > have - at:
                wanted = min(max(total, _WINDOW_BYTES), size - position, _BATCH_IN_WINDOW_MAX)
                window = memoryview(file.pread(wanted, position))
                have, at = len(window), 0
            if (
                crc32c(window[at + records.ATTRIBUTES_AT : at + total]) != header[4]
                if total <= have - at
                else _piecewise(file, position + records.ATTRIBUTES_AT, position + total, crc32c) != header[4]
            ):
                break
        base, last_offset = header[0], header[0] + header[6]
        if first_offset is None:
            first_offset = base
        if base < expected or last_offset < base:
            break
        if last_offset - base_offset > _OFFSET_SPAN_MAX:
            overflows = True
            break
        if header[8] > max_timestamp:
            max_timestamp, max_timestamp_offset = header[8], last_offset
        if position == 0:
            first_timestamp = header[8]
        if since_entry > interval:
            offset_index.append(last_offset, position)
            time_index.maybe_append(max_timestamp, max_timestamp_offset)
            since_entry = 0
        since_entry += total
        if header[2] > latest_epoch:
            latest_epoch = header[2]
            epochs.assign(latest_epoch, base)
        if header[9] >= 0:
            completed = take_batch(producers, header, window[at : at + total])
            if completed is not None and completed.is_aborted:
                aborted.append(aborted_of(producers, completed))
        position += total
        at += total
        expected = last_offset + 1
    time_index.maybe_append(max_timestamp, max_timestamp_offset)
    indexes = offset_index, time_index, since_entry
    times = max_timestamp, max_timestamp_offset, first_timestamp
    return SoundPart(position, expected, *indexes, *times, aborted, overflows, first_offset)


def _crc32c() -> Callable[..., int]:
    """The library's function: `records.crc32c` is replaced by it at its first call."""
    records.crc32c(b"")
    return records.crc32c


def _piecewise(file: File, start: int, end: int, checksum: Callable[..., int]) -> int:
    """The checksum of the file's bytes from `start` to `end`, without holding them all."""
    value = 0
    while start < end:
        piece = file.pread(min(_WINDOW_BYTES, end - start), start)
        if not piece:
            break
        value = checksum(piece, value)
        start += len(piece)
    return value


def _legacy_header(file: File, window: memoryview, position: int, size: int) -> BatchHeader | None:
    """What stands for the header of a sound message of version 0 or 1 at `position`; None if there is none.

    The offset of a message is that of its last record, and all that counts here: it is not opened.
    """
    if len(window) < _LEGACY.size:
        return None
    offset, length, stored, magic, _ = _LEGACY.unpack_from(window)
    end = position + LOG_OVERHEAD + length
    if length < _LEGACY_SIZE_MIN or magic not in (0, 1) or end > size:
        return None
    if _piecewise(file, position + records.MAGIC_AT, end, zlib.crc32) != stored:
        return None
    timestamp = NO_TIMESTAMP
    if magic and len(window) >= _LEGACY_TIMESTAMP_AT + 8 and length >= _LEGACY_SIZE_MIN + 8:
        timestamp = _INT64.unpack_from(window, _LEGACY_TIMESTAMP_AT)[0]
    return offset, length, -1, magic, stored, 0, 0, NO_TIMESTAMP, timestamp, -1, -1, -1, -1
