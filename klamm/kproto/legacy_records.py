"""Message sets of versions 0 and 1, read only: Kafka 4 still finds them in old log segments, but writes none.

A message is shown as a `Batch` of its own. A compressed set is one message, the wrapper, whose value holds the others;
it bears the offset of the last one. Reached through `records.batches`, `validate_batch` and `iter_records`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from klamm.kproto import compression as codecs
from klamm.kproto.records import (
    COMPRESSION_MASK,
    LOG_APPEND_TIME,
    LOG_OVERHEAD,
    NO_PARTITION_LEADER_EPOCH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    Batch,
    CorruptBatch,
    InvalidRecord,
    Record,
)

_MESSAGE: Final = struct.Struct(">qiIbb")
"""offset, size, crc, magic, attributes; then a timestamp in version 1, key and value with int32 lengths."""
_INT32: Final = struct.Struct(">i")
_INT64: Final = struct.Struct(">q")
_SIZE_MIN: Final = 14
_MAGIC_AT: Final = 16
_TIMESTAMP_AT: Final = 18
_UNKNOWN_COUNT: Final = -1
_PEEK_BYTES_MIN: Final = 1 << 20
_PEEK_RATIO: Final = 100


def read_batch(view: memoryview) -> Batch:
    """One message as a batch. The base offset of a compressed set stands in its first message only, so it is opened.

    A set that does not open, or only to much more than its size (splitting a buffer must stay cheap whatever is in
    it), has its wrapper's offset as base: `iter_records` tells why.
    """
    offset, size, crc, magic, attributes = _MESSAGE.unpack_from(view)
    timestamp = _timestamp(view, magic)
    base_offset: int = offset
    if attributes & COMPRESSION_MASK:
        try:
            base_offset = _inner_records(view, _PEEK_BYTES_MIN + _PEEK_RATIO * len(view))[0].offset
        except (CorruptBatch, codecs.CompressionError):
            pass
    return Batch(
        base_offset=base_offset,
        batch_length=size,
        partition_leader_epoch=NO_PARTITION_LEADER_EPOCH,
        magic=magic,
        crc=crc,
        attributes=attributes & (COMPRESSION_MASK | (LOG_APPEND_TIME if magic else 0)),
        last_offset_delta=offset - base_offset,
        base_timestamp=NO_TIMESTAMP,
        max_timestamp=timestamp,
        producer_id=NO_PRODUCER_ID,
        producer_epoch=NO_PRODUCER_EPOCH,
        base_sequence=NO_SEQUENCE,
        count=_UNKNOWN_COUNT,
        view=view,
    )


def validate_batch(view: memoryview) -> Batch:
    """Check size and CRC of `view`, which holds one message. Raises CorruptBatch."""
    _check(view, "ensure-valid")
    return read_batch(view)


def iter_records(batch: Batch, size_bytes_max: int = codecs.DECOMPRESSED_SIZE_BYTES_MAX) -> Iterator[Record]:
    """The records of one message. Raises CorruptBatch, InvalidRecord or CompressionError."""
    if batch.attributes & COMPRESSION_MASK:
        yield from _inner_records(batch.view, size_bytes_max)
    else:
        yield _record(batch.view, batch.base_offset, None)


def _check(view: memoryview, stage: str) -> None:
    size: int = _INT32.unpack_from(view, 8)[0]
    if size < _SIZE_MIN or size + LOG_OVERHEAD != len(view):
        raise CorruptBatch(f"a message of size {size} in {len(view)} bytes", stage)
    stored: int = _MESSAGE.unpack_from(view)[2]
    crc = zlib.crc32(view[_MAGIC_AT:])
    if crc != stored:
        raise CorruptBatch(f"the stored CRC is {stored}, the computed one {crc}", stage)


def _timestamp(view: memoryview, magic: int) -> int:
    """The message's timestamp; a message too short for one has none, which `_field` refuses later."""
    if magic == 0 or len(view) < _TIMESTAMP_AT + 8:
        return NO_TIMESTAMP
    timestamp: int = _INT64.unpack_from(view, _TIMESTAMP_AT)[0]
    return timestamp


def _field(view: memoryview, position: int) -> tuple[memoryview | None, int]:
    """Key or value at `position`: int32 length, negative for null. Gives it and the position after it."""
    if len(view) - position < 4:
        raise InvalidRecord(f"a message of {len(view)} bytes is too short for its fields")
    size: int = _INT32.unpack_from(view, position)[0]
    position += 4
    if size < 0:
        return None, position
    if size > len(view) - position:
        raise InvalidRecord(f"a field of {size} bytes where {len(view) - position} are left")
    return view[position : position + size], position + size


def _record(view: memoryview, offset: int, append_time: int | None) -> Record:
    """An uncompressed message as a record."""
    magic = view[_MAGIC_AT]
    key, position = _field(view, _TIMESTAMP_AT + 8 * magic)
    value, _ = _field(view, position)
    timestamp = append_time if append_time is not None and magic else _timestamp(view, magic)
    return Record(offset, timestamp, None if key is None else bytes(key), None if value is None else bytes(value))


def _inner_records(view: memoryview, size_bytes_max: int) -> list[Record]:
    """The records of the compressed set in `view`, at least one.

    Version 0 has absolute offsets inside. Version 1 has them relative to the first, the wrapper's being the last
    one's; a wrapper offset of 0 is that of a producer that does not know better and then they are absolute.
    """
    offset, _, _, magic, attributes = _MESSAGE.unpack_from(view)
    codec = attributes & COMPRESSION_MASK
    if codec == codecs.ZSTD:
        raise InvalidRecord(f"a message of version {magic} with zstd")
    _, position = _field(view, _TIMESTAMP_AT + 8 * magic)
    value, _ = _field(view, position)
    if value is None:
        raise InvalidRecord("a compressed message set without a value")
    data = memoryview(codecs.decompress(codec, value, size_bytes_max, ignore_lz4_header_checksum=magic == 0))
    append_time = _timestamp(view, magic) if magic and attributes & LOG_APPEND_TIME else None
    found: list[Record] = []
    position = 0
    while len(data) - position >= LOG_OVERHEAD:
        size: int = _INT32.unpack_from(data, position + 8)[0]
        if size < _SIZE_MIN:
            raise CorruptBatch(f"a message of size {size}, less than the minimum of {_SIZE_MIN}", "records")
        after = position + LOG_OVERHEAD + size
        if after > len(data):
            break
        one = data[position:after]
        _check(one, "records")
        inner_offset, _, _, inner_magic, inner_attributes = _MESSAGE.unpack_from(one)
        if inner_magic not in (0, 1):
            raise InvalidRecord(f"a message of version {inner_magic} inside one of version {magic}")
        if inner_attributes & COMPRESSION_MASK:
            raise InvalidRecord("a compressed message inside a compressed message set")
        found.append(_record(one, inner_offset, append_time))
        position = after
    if not found:
        raise InvalidRecord("a compressed message set without messages")
    if magic == 0 or offset == 0:
        return found
    base = offset - found[-1].offset
    if base < 0:
        raise InvalidRecord(f"the wrapper's offset {offset} is less than {found[-1].offset}, the last one inside")
    return [record._replace(offset=base + record.offset) for record in found]
