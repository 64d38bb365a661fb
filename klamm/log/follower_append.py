"""Appending what a leader has: batches with their offsets and epochs, as many at once as one fetch has brought.

No record is looked at. Batches that go into the same segment are written together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.log import upkeep

if TYPE_CHECKING:
    from klamm.log.buffers import Buffer
    from klamm.log.io_thread import Completion
    from klamm.log.partition_log import PartitionLog


def append(log: PartitionLog, batches: Buffer) -> tuple[int, int, Completion | None] | None:
    """Append the whole batches in `batches`: (first offset, last offset, the end of the write if it goes on).

    None when there is no whole batch. Raises KafkaError: CORRUPT_MESSAGE for a damaged batch, or one below the end of
    this log, and then nothing is appended; KAFKA_STORAGE_ERROR.
    """
    found = _checked(batches, log.next_offset)
    if not found:
        return None
    if log.log_dir.failure is not None:
        raise log.log_dir.storage_error()
    try:
        written = _append(log, memoryview(batches), found)
        if log.next_offset - log.synced_offset >= log.config.flush_messages:
            log.sync_offset = log.next_offset
            written = upkeep.flush(log)
    except OSError as error:
        raise log.log_dir.fail(error) from error
    return found[0].base_offset, found[-1].last_offset, written


def _checked(batches: Buffer, expected: int) -> list[records.Batch]:
    found = []
    for batch in records.batches(batches):
        records.validate_batch(batch.view)
        if batch.base_offset < expected:
            raise KafkaError(
                errors.CORRUPT_MESSAGE, f"batch at offset {batch.base_offset} where {expected} was expected"
            )
        expected = batch.next_offset
        found.append(batch)
    return found


def _append(log: PartitionLog, data: memoryview, found: list[records.Batch]) -> Completion | None:
    now_ms = log.log_dir.clock.time_ms()
    written = None
    segment = log.active_segment
    begin = at = 0  # what stands between has its place in the segment, and is not written yet
    position = segment.size
    for batch in found:
        size, last_offset, max_timestamp = batch.size_bytes, batch.last_offset, batch.max_timestamp
        if log.must_roll(size, last_offset, max_timestamp, now_ms):
            if at > begin:
                written = log.write(segment, position, data[begin:at], at - begin, batch.base_offset)
            segment = upkeep.roll(log)
            begin, position = at, segment.size
        if batch.partition_leader_epoch != log.epochs.latest_epoch:
            log.epochs.assign(batch.partition_leader_epoch, batch.base_offset)
        segment.append(size, last_offset, max_timestamp)
        log.replay_producer(batch)
        at += size
    return log.write(segment, position, data[begin:at], at - begin, found[-1].next_offset) or written
