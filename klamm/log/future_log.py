"""A replica on its way to another log directory: a second log beside the first, under a name that says so (KIP-113).

It is filled by whoever moves the replica, and then takes the first one's place, which is the replica until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import recovery, upkeep
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.leftovers import FUTURE_SUFFIX, suffixed_name
from klamm.log.partition_metadata import InconsistentTopicId

if TYPE_CHECKING:
    from klamm.log.log_dir import LogDir
    from klamm.log.log_dirs import LogDirs
    from klamm.log.partition_log import PartitionLog


def create(log_dirs: LogDirs, current: PartitionLog, target: LogDir) -> PartitionLog:
    """An empty log in `target` that is to become what `current` is. Raises KafkaError (KAFKA_STORAGE_ERROR)."""
    key = current.topic, current.partition
    name = suffixed_name(*key, FUTURE_SUFFIX, target.entropy)
    try:
        log_dirs.forget_gone(target, key)
        future = recovery.open_log(
            target,
            f"{target.path}/{name}",
            current.topic,
            current.partition,
            current.config,
            topic_id=current.topic_id,
        )
    except (OSError, InconsistentTopicId) as error:
        if isinstance(error, OSError):
            raise target.fail(error) from error
        raise KafkaError(errors.KAFKA_STORAGE_ERROR, str(error)) from None
    log_dirs.futures[key] = future
    if current.log_start_offset:
        upkeep.truncate_fully(future, current.log_start_offset)
    return future


def copy_some(current: PartitionLog, future: PartitionLog, max_bytes: int) -> int:
    """Append what `future` lacks, about `max_bytes` of it; how many bytes that were.

    A current log that was cut meanwhile, or begins later, has `future` follow. Raises KafkaError. No write of `future`
    may be pending; of what the current log is still writing nothing is read.
    """
    if future.log_end_offset < current.log_start_offset:
        upkeep.truncate_fully(future, current.log_start_offset)
    upkeep.increment_log_start_offset(future, current.log_start_offset)
    _follow_cuts(current, future)
    if future.log_end_offset >= current.log_end_offset:
        future.update_high_watermark(current.high_watermark)
        return 0
    data = current.read(future.log_end_offset, max_bytes, max_offset=current.log_end_offset).data
    future.append_as_follower(data)
    future.update_high_watermark(current.high_watermark)
    return len(data)


def _follow_cuts(current: PartitionLog, future: PartitionLog) -> None:
    """Cut `future` back to where both logs are the same, epoch by epoch (KIP-101)."""
    while future.epochs.latest_epoch >= 0:
        epoch, end_offset = current.end_offset_for_epoch(future.epochs.latest_epoch)
        if epoch == future.epochs.latest_epoch and end_offset >= future.log_end_offset:
            return
        own_epoch, own_end = future.end_offset_for_epoch(epoch)
        if epoch < 0 or own_end < 0:
            upkeep.truncate_fully(future, current.log_start_offset)
            return
        upkeep.truncate_to(future, min(end_offset, own_end, future.log_end_offset))
        if own_epoch == epoch:
            return
    upkeep.truncate_to(future, min(future.log_end_offset, current.log_end_offset))


def is_caught_up(current: PartitionLog, future: PartitionLog) -> bool:
    """Whether the two could change places now."""
    return (
        not current.has_pending_writes
        and not future.has_pending_writes
        and future.log_end_offset == current.log_end_offset
    )


def take_place(log_dirs: LogDirs, current: PartitionLog, future: PartitionLog) -> PartitionLog:
    """Make `future` the replica: the log under its final name. `current` is deleted. Raises KAFKA_STORAGE_ERROR.

    `future` is all synced before, but for what has come since; what is left to do is short.
    """
    high_watermark, log_start_offset = current.high_watermark, current.log_start_offset
    directory = future.log_dir
    # An epoch may have no records, or none any more where the log is compacted.
    future.epochs = LeaderEpochs(current.epochs.entries())
    future.epochs.dirty = True
    upkeep.close(future)
    del log_dirs.futures[current.topic, current.partition]
    log_dirs.delete(current.topic, current.partition)
    path = f"{directory.path}/{current.topic}-{current.partition}"
    try:
        directory.disk.rename(future.directory, path)
        directory.disk.fsync_directory(directory.path)
        log = recovery.open_log(
            directory,
            path,
            current.topic,
            current.partition,
            current.config,
            topic_id=current.topic_id,
            is_clean=True,
            log_start_offset=log_start_offset,
            high_watermark=high_watermark,
        )
    except OSError as error:
        raise directory.fail(error) from error
    log_dirs.logs[current.topic, current.partition] = log
    return log
