"""Compaction of batches: which go, which are copied as they are, which are written anew without some records.

A chunk of whole batches goes in, the cleaned segment gets what stays. The rules are those of Kafka's cleaner: offsets
and sequence numbers of a batch never change, the last batch of a live producer and of the pass stays even without
records, tombstones and markers get a delete horizon when they are first met (KIP-534). A batch whose CRC is wrong is
not touched: who wrote it anew would hide the damage.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import compression, records
from klamm.kproto.records import (
    ATTRIBUTES_AT,
    COMPRESSION_MASK,
    CONTROL,
    CONTROL_ABORT,
    CONTROL_COMMIT,
    DELETE_HORIZON,
    HEADER,
    HEADER_SIZE,
    LOG_APPEND_TIME,
    LOG_OVERHEAD,
    MAGIC,
    MAGIC_AT,
    NO_TIMESTAMP,
    TRANSACTIONAL,
    CorruptBatch,
)
from klamm.log.cleaner.offset_map import map_key
from klamm.log.cleaner.record_filter import Kept, kept_records, rewritten

if TYPE_CHECKING:
    from klamm.log.cleaner.cleaned_segment import CleanedSegment
    from klamm.log.cleaner.offset_map import OffsetMap
    from klamm.log.cleaner.plan import CleaningStats
    from klamm.log.cleaner.txns import CleanedTransactions
    from klamm.log.segment import BatchHeader

_PREFIX: Final = struct.Struct(">qiibI")
_CHECKED: Final = struct.Struct(">hiqqqhii")
_KEPT_ATTRIBUTES: Final = LOG_APPEND_TIME | TRANSACTIONAL | CONTROL
_LENGTH: Final = struct.Struct(">8xi4xb")


class LastRecord(NamedTuple):
    """Where a live producer stands: the offset of its last data record, None when only a marker is left; its epoch."""

    last_data_offset: int | None
    producer_epoch: int


def batch_size(data: bytes, position: int) -> int:
    """The size of the batch at `position`; 0 when its first 17 bytes are not all there. Raises CorruptBatch."""
    if len(data) - position <= MAGIC_AT:
        return 0
    length, magic = _LENGTH.unpack_from(data, position)
    if not 0 <= magic <= MAGIC or length < (HEADER_SIZE - LOG_OVERHEAD if magic == MAGIC else 14):
        raise CorruptBatch(f"a batch of version {magic} and size {length}")
    return int(length) + LOG_OVERHEAD


def check_crc(data: bytes, position: int, header: BatchHeader) -> None:
    """Raises CorruptBatch."""
    crc = records.crc32c(memoryview(data)[position + ATTRIBUTES_AT : position + header[1] + LOG_OVERHEAD])
    if crc != header[4]:
        raise CorruptBatch(f"the batch at offset {header[0]} has the CRC {crc}, it says {header[4]}")


def record_bytes(data: bytes, position: int, header: BatchHeader) -> tuple[bytes, int, int]:
    """(bytes, start, end) where the records of the batch at `position` stand uncompressed. Raises CompressionError."""
    end = position + header[1] + LOG_OVERHEAD
    codec = header[5] & COMPRESSION_MASK
    if codec == 0:
        return data, position + HEADER_SIZE, end
    with memoryview(data) as view:
        body = compression.decompress(codec, view[position + HEADER_SIZE : end])
    return body, 0, len(body)


def end_marker(data: bytes, position: int, header: BatchHeader) -> int | None:
    """The type of the control record in the batch at `position`; None for a batch that was emptied."""
    if header[12] == 0:
        return None
    end = position + header[1] + LOG_OVERHEAD
    with memoryview(data) as view:
        batch = next(records.batches(view[position:end]))
        return records.control_type(next(records.iter_records(batch)).key)


class BatchCleaner:
    """One pass over a log, after its map has been built. `segment` is where what stays is written."""

    def __init__(
        self,
        offset_map: OffsetMap,
        transactions: CleanedTransactions,
        producers: dict[int, LastRecord],
        *,
        first_dirty_offset: int,
        upper_bound_offset: int,
        delete_retention_ms: int,
        now_ms: int,
        stats: CleaningStats,
    ) -> None:
        self._lookup = offset_map.lookup
        self._latest_offset = offset_map.latest_offset
        self.transactions = transactions
        self._producers = producers
        self._first_dirty_offset = first_dirty_offset
        self._last_offset = upper_bound_offset - 1
        self._new_horizon_ms = now_ms + delete_retention_ms
        self._now_ms = now_ms
        self._stats = stats
        self.keeps_legacy_tombstones = True
        """Whether tombstones of formats 0 and 1, which have no horizon, are too young to go."""

    def clean_chunk(self, data: bytes, segment: CleanedSegment) -> int:
        """Clean the whole batches in `data`; how many bytes they are. Raises CorruptBatch, InvalidRecord."""
        position = copied_to = copy_from = 0
        end = len(data)
        unpack, clean = HEADER.unpack_from, self._clean
        copied_bytes = 0
        while True:
            if end - position < HEADER_SIZE or data[position + MAGIC_AT] != MAGIC:
                size = batch_size(data, position)
                if not size or position + size > end:
                    break
                new = self._clean_legacy(data, position, size)
                if new is None:
                    segment.note(size, *_legacy_bounds(data, position, size))
            else:
                header = unpack(data, position)
                size = header[1] + LOG_OVERHEAD
                if size < HEADER_SIZE:
                    batch_size(data, position)  # which refuses it
                if position + size > end:
                    break
                new = clean(data, position, header)
                if new is None:
                    segment.note(size, header[0] + header[6], header[8])
                elif new:
                    segment.note(len(new), header[0] + header[6], HEADER.unpack_from(new)[8])
            if new is None:
                if copied_to != position:
                    if copied_to > copy_from:
                        segment.write(data[copy_from:copied_to])
                    copy_from = position
                copied_to = position + size
                copied_bytes += size
            elif new:
                if copied_to > copy_from:
                    segment.write(data[copy_from:copied_to])
                copy_from = copied_to = position + size
                segment.write(new)
                self._stats.bytes_written += len(new)
            position += size
        if copied_to > copy_from:
            segment.write(data[copy_from:copied_to])
        self._stats.bytes_read += position
        self._stats.bytes_written += copied_bytes
        return position

    def _clean(self, data: bytes, position: int, header: BatchHeader) -> bytes | None:
        """What stands for a batch: None it itself, b"" nothing, else the new batch."""
        base_offset, attributes, count = header[0], header[5], header[12]
        last_offset = base_offset + header[6]
        is_control = attributes & CONTROL != 0
        may_go = False
        if is_control:
            may_go = self._end_transaction(data, position, header)
        elif attributes & TRANSACTIONAL:
            may_go = self.transactions.is_aborted(header[9], last_offset)
        horizon_ms = header[7] if attributes & DELETE_HORIZON else None
        drops_all = may_go and (not is_control or (horizon_ms is not None and horizon_ms <= self._now_ms))
        stays_empty = last_offset == self._last_offset or (
            header[9] in self._producers and self._is_last_of_producer(header)
        )
        stats = self._stats
        if drops_all and not stays_empty:
            return b""
        stats.messages_read += count
        if drops_all or count == 0:
            return _emptied(header) if stays_empty else b""
        if not self._first_dirty_offset <= base_offset <= self._latest_offset or is_control:
            check_crc(data, position, header)  # that of the others was checked when they were put into the map
        body, start, end = record_bytes(data, position, header)
        if is_control:
            kept = kept_records(body, start, end, count, base_offset, _everything, -1, True)
        else:
            keeps_tombstones = horizon_ms is None or self._now_ms < horizon_ms
            kept = kept_records(
                body, start, end, count, base_offset, self._lookup, self._latest_offset, keeps_tombstones
            )
            stats.invalid_messages += kept.keyless
        return self._stands_for(header, body, kept, horizon_ms, stays_empty, is_control and may_go)

    def _stands_for(
        self,
        header: BatchHeader,
        body: bytes,
        kept: Kept,
        horizon_ms: int | None,
        stays_empty: bool,
        is_spent_marker: bool,
    ) -> bytes | None:
        starts = kept.starts
        self._stats.messages_written += len(starts)
        if not starts:
            return _emptied(header) if stays_empty else b""
        if horizon_ms is None and (kept.has_tombstone or is_spent_marker):
            horizon_ms = self._new_horizon_ms
        elif len(starts) == header[12]:
            return None
        return rebuilt(header, body, starts, horizon_ms)

    def _end_transaction(self, data: bytes, position: int, header: BatchHeader) -> bool:
        """A control batch: whether it may go when its time has come."""
        kind = end_marker(data, position, header)
        if kind is None:
            return True
        last_offset = header[0] + header[6]
        if kind == CONTROL_ABORT:
            return self.transactions.end_abort(header[9], last_offset)
        if kind == CONTROL_COMMIT:
            return self.transactions.end_commit(header[9], last_offset)
        return False

    def _is_last_of_producer(self, header: BatchHeader) -> bool:
        """Whether the producer's state, its last sequence number or at least its epoch, stands in this batch alone."""
        last = self._producers[header[9]]
        if last.last_data_offset is not None:
            return header[0] + header[6] == last.last_data_offset
        return header[5] & CONTROL != 0 and header[10] == last.producer_epoch

    def _clean_legacy(self, data: bytes, position: int, size: int) -> bytes | None:
        """A message of format 0 or 1, or a compressed set of them, which stays whole if one of it stays."""
        with memoryview(data) as view:
            batch = records.validate_batch(view[position : position + size])
            found = list(records.iter_records(batch))
        self._stats.messages_read += len(found)
        for record in found:
            if record.offset > self._latest_offset or (
                record.key is not None
                and self._lookup(map_key(record.key), -1) <= record.offset
                and (record.value is not None or self.keeps_legacy_tombstones)
            ):
                self._stats.messages_written += len(found)
                return None
        return b""


def _everything(_key: bytes, _default: int) -> int:
    return -1


def _legacy_bounds(data: bytes, position: int, size: int) -> tuple[int, int]:
    """(last offset, max timestamp) of a message of format 0 or 1."""
    with memoryview(data) as view:
        batch = next(records.batches(view[position : position + size]))
    return batch.last_offset, batch.max_timestamp


def _emptied(header: BatchHeader) -> bytes:
    """The batch without records: its offsets, producer and sequence numbers remain."""
    return _assembled(header, header[5] & _KEPT_ATTRIBUTES, NO_TIMESTAMP, header[8], 0, b"")


def rebuilt(header: BatchHeader, body: bytes, starts: list[int], horizon_ms: int | None) -> bytes:
    """The batch with only the records at `starts` of `body`, compressed again if it was."""
    fixed = header[8] if header[5] & LOG_APPEND_TIME else None
    rows, base_timestamp, max_timestamp = rewritten(body, starts, header[7], fixed, horizon_ms)
    codec = header[5] & COMPRESSION_MASK
    attributes = header[5] & (_KEPT_ATTRIBUTES | COMPRESSION_MASK) | (0 if horizon_ms is None else DELETE_HORIZON)
    rows = compression.compress(codec, rows) if codec else rows
    return _assembled(header, attributes, base_timestamp, max_timestamp, len(starts), rows)


def _assembled(
    header: BatchHeader, attributes: int, base_timestamp: int, max_timestamp: int, count: int, rows: bytes
) -> bytes:
    checked = _CHECKED.pack(
        attributes, header[6], base_timestamp, max_timestamp, header[9], header[10], header[11], count
    )
    crc = records.crc32c(rows, records.crc32c(checked))
    length = HEADER_SIZE - LOG_OVERHEAD + len(rows)
    return b"".join((_PREFIX.pack(header[0], length, header[2], MAGIC, crc), checked, rows))
