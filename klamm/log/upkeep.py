"""What happens to a log over time: rolls, flushes, deletes of old segments, truncation, the close.

Functions on a `PartitionLog`, on the event loop. Syncs and writes of indexes, snapshots and epochs run on the flusher;
the recovery point advances only behind them, so that recovery never trusts a file that was not synced.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import epoch_checkpoint, producer_snapshot
from klamm.log.io_thread import Completion
from klamm.log.segment import SNAPSHOT_SUFFIX, LogSegment, file_stem

if TYPE_CHECKING:
    from collections.abc import Callable

    from klamm.log.disk import Disk
    from klamm.log.partition_log import PartitionLog

_logger = logging.getLogger(__name__)


# -- rolling --


def roll(log: PartitionLog) -> LogSegment:
    """Seal the active segment and begin a new one at the next offset. Raises KAFKA_STORAGE_ERROR."""
    log_dir, config = log.log_dir, log.config
    sealed = log.active_segment
    is_trimmed = sealed.is_preallocated
    try:
        segment = LogSegment.create(
            log_dir.disk, log.directory, log.next_offset, log_dir.clock.time_ms(), config.preallocated_bytes
        )
        sealed.seal()
        if not log.has_pending_writes:
            sealed.let_go()  # a log may have many segments; readers open them again
    except OSError as error:
        raise log_dir.fail(error) from error
    if config.segment_jitter_ms:
        segment.roll_jitter_ms = log_dir.entropy.randrange(min(config.segment_jitter_ms, config.segment_ms))
    # Flushes to come may begin behind this segment. Until all of it is synced the recovery point stays before.
    log.sealing.append(sealed.base_offset)
    _submit(log, _sealing_job(log, sealed, is_trimmed), log.sealing.popleft)
    log.segments.add(segment)
    log.activate(segment)
    log.has_new_files = True
    take_snapshot(log)
    flush(log)
    return segment


def _sealing_job(log: PartitionLog, sealed: LogSegment, is_trimmed: bool) -> Callable[[], None]:
    disk, path, writes = log.log_dir.disk, sealed.path, sealed.index_writes()

    def work() -> None:
        if is_trimmed:
            _sync_file(disk, path)
        if writes is not None:
            writes()

    return work


def take_snapshot(log: PartitionLog) -> None:
    """Write the producers' state as of the next offset, on the flusher."""
    disk, data = log.log_dir.disk, producer_snapshot.encode(log.producers.producers.values())
    path = _snapshot_path(log, log.next_offset)
    log.snapshot_offset = log.next_offset
    _submit(log, lambda: disk.write_atomic(path, data))


def _snapshot_path(log: PartitionLog, offset: int) -> str:
    return f"{log.directory}/{file_stem(offset)}{SNAPSHOT_SUFFIX}"


def _submit(log: PartitionLog, work: Callable[[], object], succeeded: Callable[[], object] | None = None) -> None:
    def done(error: BaseException | None) -> None:
        if isinstance(error, OSError):
            log.log_dir.fail_unless_deleted(error, log.directory)
        elif error is None and succeeded is not None:
            succeeded()

    log.submit(work, done)


# -- flushing --


def flush(log: PartitionLog) -> Completion:
    """Sync everything appended so far. All flushes asked for while one runs share the next (group commit)."""
    completion = Completion()
    log.flush_waiters.append((log.next_offset, completion))
    start_flush(log)
    return completion


def start_flush(log: PartitionLog) -> None:
    """Begin a flush of what is written, if one is wanted and none is running."""
    if log.is_flushing or not log.flush_waiters:
        return
    if log.log_dir.failure is not None:
        _finish_flushes(log, log.next_offset, log.log_dir.storage_error())
        return
    target = log.log_end_offset
    if target <= log.synced_offset and log.flush_waiters[0][0] > target:
        return  # Nothing new is written yet: the end of the pending write comes here again.
    log.is_flushing = True
    log.submit(_flush_job(log, target), lambda error: _flushed(log, target, error))


def _flush_job(log: PartitionLog, target: int) -> Callable[[], None]:
    disk, directory, root = log.log_dir.disk, log.directory, log.log_dir.path
    segments = [s for s in log.segments.from_offset(log.synced_offset) if s.base_offset <= target]
    paths = [segment.path for segment in segments]
    for segment in segments:
        if segment.txn_index.is_dirty:
            segment.txn_index.is_dirty = False
            paths.append(segment.txn_index.path)
    # The indexes of the segment with the recovery point are not trusted after a crash, so they are not written.
    indexes = [w for segment in segments if segment.is_sealed and (w := segment.index_writes()) is not None]
    epochs = log.epochs.unwritten()
    has_new_files, log.has_new_files = log.has_new_files or bool(indexes), False

    def work() -> None:
        for path in paths:
            _sync_file(disk, path)
        for write in indexes:
            write()
        if has_new_files:
            disk.fsync_directory(directory)
            disk.fsync_directory(root)
        if epochs is not None:
            disk.write_atomic(f"{directory}/{epoch_checkpoint.FILE}", epochs)

    return work


def _sync_file(disk: Disk, path: str) -> None:
    """By a descriptor of its own: the log may close its one at any time. A segment deleted meanwhile needs no sync."""
    try:
        file = disk.open(path)
    except FileNotFoundError:
        return
    try:
        file.fsync()
    finally:
        file.close()


def _flushed(log: PartitionLog, target: int, error: BaseException | None) -> None:
    log.is_flushing = False
    failure: BaseException | None = error
    if isinstance(error, OSError):
        failure = log.log_dir.fail_unless_deleted(error, log.directory)
    if failure is None:
        log.synced_offset = max(log.synced_offset, target)
        log.last_flush_ms = log.log_dir.clock.time_ms()
    _finish_flushes(log, target, failure)
    start_flush(log)


def _finish_flushes(log: PartitionLog, target: int, failure: BaseException | None) -> None:
    waiters = log.flush_waiters
    while waiters and (failure is not None or waiters[0][0] <= target):
        waiters.popleft()[1].finish(failure)


def flush_if_due(log: PartitionLog, now_ms: int) -> None:
    """`flush.ms`: sync when the last sync is that long ago and something has come since."""
    if log.next_offset > log.synced_offset and now_ms - log.last_flush_ms >= log.config.flush_ms:
        flush(log)


# -- deleting --


def delete_old_segments(log: PartitionLog, now_ms: int) -> int:
    """Drop segments below the log start, and by `retention.ms` and `retention.bytes`; how many have gone.

    Only whole segments below the high watermark; with `cleanup.policy` not `delete` only those below the log start, and
    of these never the active one.
    """
    gone = _delete_while(log, lambda segment, end: end <= log.log_start_offset and segment is not log.active_segment)
    config = log.config
    if not config.is_delete:
        return gone
    if config.retention_bytes >= 0:
        excess = log.size_bytes - config.retention_bytes

        def is_excess(segment: LogSegment, _: int) -> bool:
            nonlocal excess
            if excess < segment.size:
                return False
            excess -= segment.size
            return True

        gone += _delete_while(log, is_excess)
    if config.retention_ms >= 0:
        gone += _delete_while(log, lambda segment, _: now_ms - segment.largest_timestamp > config.retention_ms)
    return gone


def _delete_while(log: PartitionLog, is_old: Callable[[LogSegment, int], bool]) -> int:
    old: list[LogSegment] = []
    segments = list(log.segments)
    for index, segment in enumerate(segments):
        is_last = index == len(segments) - 1
        end = log.next_offset if is_last else segments[index + 1].base_offset
        if end > log.high_watermark or (is_last and segment.size == 0) or not is_old(segment, end):
            break
        old.append(segment)
    if not old or log.has_pending_writes:
        return 0
    if len(old) == len(segments):
        roll(log)
    remove_segments(log, old)
    increment_log_start_offset(log, log.segments[0].base_offset)
    return len(old)


def remove_segments(log: PartitionLog, segments: list[LogSegment]) -> None:
    """Take segments out of the log; their files go after `file.delete.delay.ms`, for readers that still have them."""
    log_dir = log.log_dir
    log.segments.remove(segments)
    log.forget_positions()
    paths: list[str] = []
    try:
        for segment in segments:
            paths += segment.rename_to_deleted()
            segment.close()
    except OSError as error:
        raise log_dir.fail(error) from error
    log_dir.delete_later(paths, log.config.file_delete_delay_ms)
    _logger.info(
        "%s-%d: %d segments deleted, up to %d", log.topic, log.partition, len(segments), segments[-1].base_offset
    )


def increment_log_start_offset(log: PartitionLog, offset: int) -> None:
    """The log begins at `offset` from now on, if it began earlier."""
    if offset > log.log_start_offset:
        log.log_start_offset = offset
        log.high_watermark = max(log.high_watermark, offset)
        log.epochs.truncate_from_start(offset)
        log.producers.on_log_start_offset(offset)
        log.update_last_stable_offset()


def delete_records(log: PartitionLog, offset: int) -> int:
    """Hide the records below `offset` (-1: all below the high watermark); the new log start offset.

    Their segments go with the next retention check. Raises KafkaError: OFFSET_OUT_OF_RANGE, POLICY_VIOLATION.
    """
    if not log.config.is_delete:
        raise KafkaError(errors.POLICY_VIOLATION, f"cleanup.policy of {log.topic} does not contain delete")
    if offset == -1:
        offset = log.high_watermark
    if not 0 <= offset <= log.high_watermark:
        raise KafkaError(
            errors.OFFSET_OUT_OF_RANGE, f"offset {offset} is not within [0, {log.high_watermark}], the high watermark"
        )
    increment_log_start_offset(log, offset)
    return log.log_start_offset


# -- truncating --


def truncate_to(log: PartitionLog, offset: int) -> bool:
    """Cut everything from `offset` on, as a follower does that has left its leader's log; True if there was any.

    No write may be pending. Raises KAFKA_STORAGE_ERROR.
    """
    if log.has_pending_writes:
        raise RuntimeError("a log with pending writes cannot be truncated")
    if offset >= log.log_end_offset:
        # A leader that was replaced before it wrote anything has noted an epoch that its successor may not know.
        log.epochs.truncate_from_end(log.log_end_offset)
        return False
    _settle(log)
    if offset <= log.segments[0].base_offset:
        truncate_fully(log, offset)
        return True
    try:
        later = [segment for segment in log.segments if segment.base_offset >= offset]
        found = log.position_of(offset)
        synced_offset = _lower_recovery_point(log, log.segments[len(log.segments) - len(later) - 1].base_offset)
        if later:
            remove_segments(log, later)
            log.log_dir.disk.fsync_directory(log.directory)  # or they may come back behind the records to come
        segment = log.segments.last
        if found is not None and found[0] is segment:
            segment.truncate(offset, found[1])
        else:
            segment.unseal()
        log.activate(segment)
    except OSError as error:
        raise log.log_dir.fail(error) from error
    _set_end(log, segment.next_offset(), synced_offset)
    return True


def truncate_fully(log: PartitionLog, offset: int) -> None:
    """Drop all records and begin anew at `offset`, which may be beyond the old end."""
    _settle(log)
    synced_offset = _lower_recovery_point(log, min(offset, log.segments[0].base_offset))
    old = list(log.segments)
    try:
        names = log.log_dir.disk
        moved = [segment.rename_to_deleted() for segment in old]
        for segment in old:
            segment.close()
        log.log_dir.delete_later([path for paths in moved for path in paths], log.config.file_delete_delay_ms)
        fresh = LogSegment.create(
            names, log.directory, offset, log.log_dir.clock.time_ms(), log.config.preallocated_bytes
        )
        _remove_snapshots(log)
        names.fsync_directory(log.directory)
    except OSError as error:
        raise log.log_dir.fail(error) from error
    log.segments.remove(old)
    log.segments.add(fresh)
    log.activate(fresh)
    log.has_new_files = True
    is_start_lower, log.log_start_offset = offset < log.log_start_offset, offset
    log.epochs.clear()
    _set_end(log, offset, synced_offset, is_start_lower=is_start_lower)


def _settle(log: PartitionLog) -> None:
    """Wait for what is under way: it knows of records that are about to go, and would sync or write for them."""
    flusher = log.log_dir.flusher
    flusher.drain()
    while log.jobs:
        flusher.drain()
    if log.log_dir.failure is not None:
        raise log.log_dir.storage_error()


def _lower_recovery_point(log: PartitionLog, offset: int) -> int:
    """Before the cut: a crash behind it must not leave a checkpoint that vouches for records to come. What it was."""
    synced_offset = log.synced_offset
    if offset < synced_offset:
        log.synced_offset = offset
        log.log_dir.recovery_point_lowered()
    return synced_offset


def _remove_snapshots(log: PartitionLog) -> None:
    disk = log.log_dir.disk
    for name in disk.list_directory(log.directory):
        if name.endswith(SNAPSHOT_SUFFIX):
            disk.remove(f"{log.directory}/{name}")


def _set_end(log: PartitionLog, end_offset: int, synced_offset: int, *, is_start_lower: bool = False) -> None:
    from klamm.log.producer_replay import rebuild_producers

    log.forget_positions()
    log.next_offset = log.log_end_offset = end_offset
    log.synced_offset = min(synced_offset, end_offset)
    log.sync_offset = min(log.sync_offset, end_offset)
    log.has_new_files = True  # snapshots have gone, and must not come back once there are other records
    log.epochs.truncate_from_end(end_offset)
    try:
        rebuild_producers(log)
    except OSError as error:
        raise log.log_dir.fail(error) from error
    # A batch that held the log start in its middle may have gone: the start goes back with it, as in Kafka.
    is_start_lower = is_start_lower or end_offset < log.log_start_offset
    log.log_start_offset = min(log.log_start_offset, end_offset)
    log.log_dir.recovery_point_lowered(is_start_lower=is_start_lower)
    log.high_watermark = max(log.log_start_offset, min(log.high_watermark, end_offset))
    log.update_last_stable_offset()


# -- closing --


def close(log: PartitionLog) -> None:
    """Write and sync all files, on this thread; nothing may be pending. Raises KAFKA_STORAGE_ERROR."""
    if log.log_dir.failure is not None:
        for segment in log.segments:
            segment.close()
        return
    disk = log.log_dir.disk
    try:
        is_trimmed = log.active_segment.is_preallocated
        log.active_segment.seal()
        is_empty = len(log.segments) == 1 and not log.active_segment.size
        is_synced = log.synced_offset == log.log_end_offset and not is_trimmed
        if not is_empty and (not is_synced or log.has_new_files or log.epochs.dirty):
            _flush_job(log, log.log_end_offset)()
        for segment in log.segments:
            if segment.size and (writes := segment.index_writes()) is not None:
                writes()
                log.has_new_files = True
            segment.close()
        if log.snapshot_offset != log.log_end_offset:
            path = _snapshot_path(log, log.log_end_offset)
            disk.write_atomic(path, producer_snapshot.encode(log.producers.producers.values()))
        elif log.has_new_files and not is_empty:
            disk.fsync_directory(log.directory)
    except OSError as error:
        raise log.log_dir.fail(error) from error
    log.synced_offset = log.log_end_offset
