"""Record batches of version 2: split a buffer, check a batch, read its records, build one.

Splitting and checking never touch single records and never copy; the hot path may unpack `HEADER` itself and patch
fields in place. Importing this module loads no codec and no CRC library. Versions 0 and 1 are in `legacy_records.py`
and are read through the same functions.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from klamm.kproto import compression as codecs
from klamm.kproto.record_codec import NO_SEQUENCE as NO_SEQUENCE
from klamm.kproto.record_codec import NO_TIMESTAMP as NO_TIMESTAMP
from klamm.kproto.record_codec import CorruptBatch as CorruptBatch
from klamm.kproto.record_codec import Headers as Headers
from klamm.kproto.record_codec import InvalidRecord as InvalidRecord
from klamm.kproto.record_codec import Record as Record
from klamm.kproto.record_codec import decode_records, encode_records, wrap

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""The 61 bytes before the records: base_offset, batch_length, partition_leader_epoch, magic, crc, attributes,
last_offset_delta, base_timestamp, max_timestamp, producer_id, producer_epoch, base_sequence, count."""
HEADER_SIZE: Final = 61
LOG_OVERHEAD: Final = 12
"""Bytes before those that `batch_length` counts: the base offset and the length itself."""
MAGIC: Final = 2

# Where fields stand. Everything before ATTRIBUTES_AT is outside the CRC and may be patched freely.
BASE_OFFSET_AT: Final = 0
BATCH_LENGTH_AT: Final = 8
PARTITION_LEADER_EPOCH_AT: Final = 12
MAGIC_AT: Final = 16
CRC_AT: Final = 17
ATTRIBUTES_AT: Final = 21
LAST_OFFSET_DELTA_AT: Final = 23
BASE_TIMESTAMP_AT: Final = 27
MAX_TIMESTAMP_AT: Final = 35
PRODUCER_ID_AT: Final = 43
PRODUCER_EPOCH_AT: Final = 51
BASE_SEQUENCE_AT: Final = 53
COUNT_AT: Final = 57

COMPRESSION_MASK: Final = 0x07
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
DELETE_HORIZON: Final = 0x40

NO_PRODUCER_ID: Final = -1
NO_PRODUCER_EPOCH: Final = -1
NO_PARTITION_LEADER_EPOCH: Final = -1

CONTROL_NAMES: Final = (
    "ABORT",
    "COMMIT",
    "LEADER_CHANGE",
    "SNAPSHOT_HEADER",
    "SNAPSHOT_FOOTER",
    "KRAFT_VERSION",
    "KRAFT_VOTERS",
)
"""The kinds of control records by type id."""
CONTROL_ABORT: Final = 0
CONTROL_COMMIT: Final = 1
CONTROL_LEADER_CHANGE: Final = 2
CONTROL_SNAPSHOT_HEADER: Final = 3
CONTROL_SNAPSHOT_FOOTER: Final = 4
CONTROL_KRAFT_VERSION: Final = 5
CONTROL_KRAFT_VOTERS: Final = 6

_PREFIX = struct.Struct(">qiibI")
_CHECKED = struct.Struct(">hiqqqhii")  # the part of the header that the CRC covers
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_INT64 = struct.Struct(">q")
_UINT32 = struct.Struct(">I")
_CONTROL_KEY = struct.Struct(">hh")
_SIZE_MIN: Final = 14  # the smallest size field that Kafka's reader takes, that of an empty version 0 message
_SAFE: Final = 1 << 62

RecordBytes = bytes | bytearray | memoryview


class Batch(NamedTuple):
    """The header of one batch and a view of all of its bytes. No field has been checked beyond size and magic.

    A message of version 0 or 1 reads as a batch with Kafka's stand-ins: no producer, no epoch, `count` -1 and
    `base_timestamp` -1.
    """

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    view: memoryview

    @property
    def size_bytes(self) -> int:
        """The whole batch, header included."""
        return self.batch_length + LOG_OVERHEAD

    @property
    def last_offset(self) -> int:
        """The offset of the last record, or the last one that compaction removed."""
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        """The offset after this batch."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        """The producer's sequence number of the last record; -1 without a producer."""
        return (
            NO_SEQUENCE
            if self.base_sequence == NO_SEQUENCE
            else add_sequence(self.base_sequence, self.last_offset_delta)
        )

    @property
    def compression(self) -> int:
        """The codec id; 5 to 7 are not defined."""
        return self.attributes & COMPRESSION_MASK

    @property
    def is_log_append_time(self) -> bool:
        """Every record has the batch's max timestamp; otherwise each has its own (create time)."""
        return self.attributes & LOG_APPEND_TIME != 0

    @property
    def is_transactional(self) -> bool:
        """Written within a transaction."""
        return self.attributes & TRANSACTIONAL != 0

    @property
    def is_control(self) -> bool:
        """Holds control records, which clients do not see."""
        return self.attributes & CONTROL != 0

    @property
    def delete_horizon_ms(self) -> int | None:
        """When tombstones and markers of this batch may go (KIP-534); it stands in the base timestamp's place."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON else None


_new = tuple.__new__


def add_sequence(sequence: int, increment: int) -> int:
    """`sequence` + `increment`; sequence numbers wrap from 2147483647 to 0."""
    total = sequence + increment
    return total if total <= 0x7FFFFFFF else total - 0x80000000


def _load_crc32c(data: RecordBytes, value: int = 0) -> int:
    global crc32c
    from crc32c import crc32c as loaded

    crc32c = loaded
    return crc32c(data, value)


crc32c: Callable[..., int] = _load_crc32c
"""CRC-32C of data, continuing from an earlier value. Call it as `records.crc32c`: the first call puts the library's
function here, because importing that library takes longer than importing all of kproto."""


def batches(buffer: RecordBytes) -> Iterator[Batch]:
    """The batches of `buffer`, one after another; an incomplete last one is ignored (a Fetch answer may cut it).

    Raises CorruptBatch where the size or the magic makes it impossible to go on.
    """
    view = memoryview(buffer)
    end = len(view)
    position = 0
    unpack = HEADER.unpack_from
    while end - position >= LOG_OVERHEAD:
        size: int = _INT32.unpack_from(view, position + BATCH_LENGTH_AT)[0]
        if size < _SIZE_MIN:
            raise CorruptBatch(f"a batch of size {size}, less than the minimum of {_SIZE_MIN}", "batches")
        if end - position <= MAGIC_AT:
            return
        magic = view[position + MAGIC_AT]
        if magic > MAGIC:
            raise CorruptBatch(f"a batch of unknown version {magic}", "batches")
        after = position + LOG_OVERHEAD + size
        if after > end:
            return
        one = view[position:after]
        if magic == MAGIC:
            if size < HEADER_SIZE - LOG_OVERHEAD:
                raise CorruptBatch(f"a batch of {size + LOG_OVERHEAD} bytes is smaller than its header")
            yield _new(Batch, (*unpack(one), one))
        else:
            from klamm.kproto import legacy_records

            yield legacy_records.read_batch(one)
        position = after


def validate_batch(view: RecordBytes) -> Batch:
    """Check size, magic and CRC of `view`, which holds exactly one batch. Raises CorruptBatch.

    As Kafka's `ensureValid` it looks at the frame only: what a producer may send is `validate_produced`.
    """
    view = memoryview(view)
    if len(view) < HEADER_SIZE or view[MAGIC_AT] != MAGIC:
        if len(view) >= LOG_OVERHEAD + _SIZE_MIN and view[MAGIC_AT] < MAGIC:
            from klamm.kproto import legacy_records

            return legacy_records.validate_batch(view)
        raise CorruptBatch(f"{len(view)} bytes that are no batch of a known version")
    header = HEADER.unpack_from(view)
    if header[1] + LOG_OVERHEAD != len(view):
        raise CorruptBatch(f"a batch of size {header[1]} in {len(view)} bytes")
    crc = crc32c(view[ATTRIBUTES_AT:])
    if crc != header[4]:
        raise CorruptBatch(f"the stored CRC is {header[4]}, the computed one {crc}")
    return _new(Batch, (*header, view))


def validate_produced(batch: Batch) -> None:
    """Check what Kafka's broker asks of a batch that a client sends. Raises InvalidRecord.

    Offsets must count up from the base without gaps, there are records, no control records, and an idempotent
    producer numbers them.
    """
    if batch.magic != MAGIC:
        raise InvalidRecord(f"a produced batch of version {batch.magic}")
    if batch.count <= 0:
        raise InvalidRecord(f"a produced batch of {batch.count} records")
    if batch.last_offset_delta + 1 != batch.count:
        raise InvalidRecord(f"{batch.count} records with a last offset delta of {batch.last_offset_delta}")
    if batch.attributes & CONTROL:
        raise InvalidRecord("clients may not write control records")
    if batch.producer_id >= 0 and batch.base_sequence < 0:
        raise InvalidRecord(f"the base sequence {batch.base_sequence} of producer {batch.producer_id}")


def place(buffer: bytearray | memoryview, base_offset: int, partition_leader_epoch: int, at: int = 0) -> None:
    """Write the offset and the leader epoch that an append assigns into the batch at `at`; the CRC holds on."""
    _INT64.pack_into(buffer, at, base_offset)
    _INT32.pack_into(buffer, at + PARTITION_LEADER_EPOCH_AT, partition_leader_epoch)


def set_log_append_time(buffer: bytearray | memoryview, timestamp: int) -> None:
    """Stamp the one batch in `buffer` with log-append time: attribute, max timestamp and CRC.

    The records keep their create-time deltas, which no reader looks at any more.
    """
    (attributes,) = _INT16.unpack_from(buffer, ATTRIBUTES_AT)
    _INT16.pack_into(buffer, ATTRIBUTES_AT, attributes | LOG_APPEND_TIME)
    _INT64.pack_into(buffer, MAX_TIMESTAMP_AT, timestamp)
    _renew_crc(buffer)


def set_producer_id(buffer: bytearray | memoryview, producer_id: int) -> None:
    """Have the one batch in `buffer` come from another producer; the CRC is made anew."""
    _INT64.pack_into(buffer, PRODUCER_ID_AT, producer_id)
    _renew_crc(buffer)


def _renew_crc(buffer: bytearray | memoryview) -> None:
    with memoryview(buffer) as view:
        _UINT32.pack_into(buffer, CRC_AT, crc32c(view[ATTRIBUTES_AT:]))


def payload(batch: Batch, size_bytes_max: int = codecs.DECOMPRESSED_SIZE_BYTES_MAX) -> bytes:
    """The records of a version 2 batch, decompressed. Raises CompressionError."""
    return codecs.decompress(batch.attributes & COMPRESSION_MASK, batch.view[HEADER_SIZE:], size_bytes_max)


def iter_records(batch: Batch, size_bytes_max: int = codecs.DECOMPRESSED_SIZE_BYTES_MAX) -> Iterator[Record]:
    """The records of `batch`, control records too, with absolute offsets and the timestamps readers see.

    Nothing is opened before the first record is asked for. Raises InvalidRecord, or CompressionError; those
    before the damage have been given by then, except in a compressed batch.
    """
    if batch.magic != MAGIC:
        from klamm.kproto import legacy_records

        yield from legacy_records.iter_records(batch, size_bytes_max)
        return
    if batch.count < 0:
        raise InvalidRecord(f"a batch of {batch.count} records")
    if batch.count == 0:
        return
    found = decode_records(
        payload(batch, size_bytes_max),
        batch.count,
        batch.base_offset,
        batch.base_timestamp,
        batch.max_timestamp if batch.attributes & LOG_APPEND_TIME else None,
        batch.base_sequence,
    )
    if batch.attributes & COMPRESSION_MASK:
        found = iter(list(found))
    if batch.base_offset >= _SAFE or not -_SAFE < batch.base_timestamp < _SAFE:  # sums may leave int64
        found = (r._replace(offset=wrap(r.offset), timestamp=wrap(r.timestamp)) for r in found)
    yield from found


def control_type(key: bytes | None) -> int:
    """The type id of a control record from its key: int16 version, int16 type. Raises InvalidRecord.

    A higher key version is read as version 0, as Kafka does.
    """
    if key is None or len(key) < _CONTROL_KEY.size:
        raise InvalidRecord(f"a control record with a key of {0 if key is None else len(key)} bytes")
    version, type_id = _CONTROL_KEY.unpack_from(key)
    if version < 0:
        raise InvalidRecord(f"a control record of version {version}")
    return int(type_id)


def control_name(type_id: int) -> str:
    """The name of a control record type; UNKNOWN for one that Kafka 4.3 does not know."""
    return CONTROL_NAMES[type_id] if 0 <= type_id < len(CONTROL_NAMES) else "UNKNOWN"


def control_key(type_id: int) -> bytes:
    """The key of a control record."""
    return _CONTROL_KEY.pack(0, type_id)


def build_batch(
    records: Iterable[Record],
    *,
    base_offset: int | None = None,
    last_offset: int | None = None,
    compression: int = codecs.NONE,
    compression_level: int | None = None,
    log_append_time: int | None = None,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = NO_PRODUCER_EPOCH,
    base_sequence: int = NO_SEQUENCE,
    transactional: bool = False,
    control: bool = False,
    partition_leader_epoch: int = NO_PARTITION_LEADER_EPOCH,
    delete_horizon_ms: int | None = None,
    max_timestamp: int | None = None,
) -> bytes:
    """A version 2 batch of `records`, whose absolute offsets must rise; their `sequence` is not looked at.

    The base offset is that of the first record unless given, so is the last one (compaction keeps both).
    `log_append_time` makes it the time of all records. Without records it is the empty batch that compaction keeps
    for a producer's state: then both offsets must be given. Raises ValueError for what Kafka's builder refuses.
    """
    rows = records if isinstance(records, list) else list(records)
    if base_offset is None:
        if not rows:
            raise ValueError("an empty batch needs a base offset")
        base_offset = rows[0].offset
    if transactional and producer_id < 0:
        raise ValueError("a transactional batch needs a producer id")
    if producer_id >= 0 and (producer_epoch < 0 or (base_sequence < 0 and not control)):
        raise ValueError(f"producer {producer_id} with epoch {producer_epoch} and sequence {base_sequence}")
    base_timestamp = rows[0].timestamp if rows else NO_TIMESTAMP
    if delete_horizon_ms is not None:
        base_timestamp = delete_horizon_ms
    body = encode_records(rows, base_offset, base_timestamp)
    if compression and rows:
        body = codecs.compress(compression, body, compression_level)
    attributes = compression if rows else 0
    if log_append_time is not None:
        attributes |= LOG_APPEND_TIME
        max_timestamp = log_append_time
    elif max_timestamp is None:
        max_timestamp = max([row.timestamp for row in rows], default=NO_TIMESTAMP)
    if transactional:
        attributes |= TRANSACTIONAL
    if control:
        attributes |= CONTROL
    if delete_horizon_ms is not None:
        attributes |= DELETE_HORIZON
    if last_offset is None:
        last_offset = rows[-1].offset if rows else base_offset - 1
    if not base_offset <= last_offset <= base_offset + 0x7FFFFFFF or (rows and rows[-1].offset > last_offset):
        raise ValueError(f"offsets from {base_offset} to {last_offset} do not fit the batch")
    checked = _CHECKED.pack(
        attributes,
        last_offset - base_offset,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        len(rows),
    )
    crc = crc32c(body, crc32c(checked))
    length = HEADER_SIZE - LOG_OVERHEAD + len(body)
    return b"".join((_PREFIX.pack(base_offset, length, partition_leader_epoch, MAGIC, crc), checked, body))
