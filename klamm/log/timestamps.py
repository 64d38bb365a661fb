"""Offsets by time: what ListOffsets asks of a log.

The time index says which batches to look at; only the one batch that has the answer is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from klamm.kproto import records
from klamm.kproto.records import HEADER_SIZE, LOG_OVERHEAD, NO_TIMESTAMP

if TYPE_CHECKING:
    from klamm.kproto.records import Batch
    from klamm.log.partition_log import PartitionLog
    from klamm.log.segment import LogSegment


class TimestampOffset(NamedTuple):
    """A record's timestamp in ms, its offset, and the leader epoch of its batch (-1 if not known)."""

    timestamp: int
    offset: int
    leader_epoch: int


def offset_for_timestamp(log: PartitionLog, timestamp: int) -> TimestampOffset | None:
    """The first record at or above `timestamp`, from the log start on; None if there is none.

    First means the lowest offset: timestamps need not rise. Raises CorruptBatch; KafkaError: KAFKA_STORAGE_ERROR.
    """
    try:
        for segment in log.segments:
            if segment.max_timestamp >= timestamp:
                found = _search(segment, timestamp, log.log_start_offset)
                following = log.segments.after(segment)
                # As for a reader, what lies in the next segment's range is not this one's.
                if found is not None and (following is None or found.offset < following.base_offset):
                    return found
    except OSError as error:
        raise log.log_dir.fail(error) from error
    return None


def _search(segment: LogSegment, timestamp: int, start_offset: int) -> TimestampOffset | None:
    batch = segment.find(max(segment.time_lookup(timestamp), start_offset), segment.written_size)
    if batch is None:
        return None
    for position, header in segment.headers(batch[0], segment.written_size):
        if header[8] >= timestamp:
            opened = _batch_at(segment, position, header[1] + LOG_OVERHEAD)
            for record in records.iter_records(opened):
                if record.timestamp >= timestamp and record.offset >= start_offset:
                    return TimestampOffset(record.timestamp, record.offset, opened.partition_leader_epoch)
    return None


def max_timestamp(log: PartitionLog) -> TimestampOffset | None:
    """The first record with the highest timestamp of the log; None in an empty log (ListOffsets -3, KIP-734).

    As in Kafka it may lie below the log start: what DeleteRecords has hidden in a segment that is still there counts.
    Raises CorruptBatch; KafkaError: KAFKA_STORAGE_ERROR.
    """
    best: LogSegment | None = None
    try:
        for segment in log.segments:
            if segment.size >= HEADER_SIZE and (best is None or segment.max_timestamp > best.max_timestamp):
                best = segment
        if best is None or best.max_timestamp == NO_TIMESTAMP:
            return None
        return _search(best, best.max_timestamp, 0)
    except OSError as error:
        raise log.log_dir.fail(error) from error


def _batch_at(segment: LogSegment, position: int, size: int) -> Batch:
    return next(records.batches(segment.peek(position, size)))
