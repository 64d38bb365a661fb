"""How a log starts: from what a clean stop left, or from whatever a crash left.

After a clean stop files are taken as they are (indexes are checked when they are first used). Otherwise everything from
the recovery point on is read again: the first batch that is not whole, sound and in order ends the log, its indexes are
made anew, epochs and producers are taken from the batches. Below the recovery point all was synced.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from klamm.kproto import records
from klamm.kproto.errors import ProtocolError
from klamm.kproto.records import HEADER, HEADER_SIZE, LOG_OVERHEAD
from klamm.log import checkpoint, epoch_checkpoint, partition_metadata, producer_snapshot
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.partition_log import PartitionLog
from klamm.log.producer_state import ProducerState
from klamm.log.segment import (
    DELETED_SUFFIX,
    LOG_SUFFIX,
    MESSAGE_SIZE_MIN,
    OFFSET_INDEX_SUFFIX,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    BatchHeader,
    LogSegment,
)
from klamm.log.segments import Segments
from klamm.log.swap import finish_swaps

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.log_config import LogConfig
    from klamm.log.log_dir import LogDir

_logger = logging.getLogger(__name__)

_INT32: Final = struct.Struct(">i")
_WINDOW_BYTES: Final = 1 << 22
_LEFTOVERS: Final = (DELETED_SUFFIX, ".cleaned", ".tmp")


def open_log(
    log_dir: LogDir,
    directory: str,
    topic: str,
    partition: int,
    config: LogConfig,
    *,
    topic_id: bytes | None = None,
    is_clean: bool = False,
    recovery_point: int = 0,
    log_start_offset: int = 0,
    high_watermark: int = 0,
) -> PartitionLog:
    """The log in `directory` (a path), made if it is missing. Raises OSError, InconsistentTopicId.

    `is_clean`: the last stop was clean. The offsets are those of the checkpoints, 0 where there is none. `topic_id` is
    written to `partition.metadata` (on the flusher) if that is missing, and must agree with it otherwise.
    """
    disk = log_dir.disk
    disk.make_directory(directory)
    known_topic_id = partition_metadata.read_topic_id(disk, f"{directory}/{partition_metadata.FILE}")
    now_ms = log_dir.clock.time_ms()
    segments = _find_segments(disk, directory, config, now_ms)
    epochs = _read_epochs(disk, directory)
    if not is_clean and segments:
        _recover(disk, segments, recovery_point, epochs)
    end_offset = segments[-1].next_offset() if segments else 0
    if not segments or end_offset < log_start_offset:
        # Records below the log start are nobody's any more; Kafka begins anew there too.
        for segment in segments:
            for suffix in (LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX):
                disk.remove(segment.path_of(suffix))
        segments = [LogSegment.create(disk, directory, log_start_offset, now_ms)]
        end_offset = log_start_offset
    for segment in segments[:-1]:
        segment.is_sealed = True
    log = PartitionLog(
        log_dir,
        directory,
        topic,
        partition,
        known_topic_id,
        config,
        Segments(segments),
        epochs=epochs,
        producers=ProducerState(),
        log_start_offset=max(log_start_offset, segments[0].base_offset),
        log_end_offset=end_offset,
        recovery_point=end_offset if is_clean else min(recovery_point, end_offset),
    )
    epochs.truncate_from_end(end_offset)
    epochs.truncate_from_start(log.log_start_offset)
    rebuild_producers(log, trusted=end_offset if is_clean else log.segments.floor(recovery_point).base_offset)
    log.update_high_watermark(high_watermark)
    log.has_new_files = log.log_end_offset == log.segments[0].base_offset
    if topic_id is not None:
        log.assign_topic_id(topic_id)
    for segment in segments[:-1] if log.has_new_files else segments:
        segment.close()  # most logs rest: a descriptor is opened again by who needs it
    return log


def _find_segments(disk: Disk, directory: str, config: LogConfig, now_ms: int) -> list[LogSegment]:
    names = finish_swaps(disk, directory, disk.list_directory(directory))
    for name in names:
        if name.endswith(_LEFTOVERS):
            disk.remove(f"{directory}/{name}")
    segments = []
    for name in names:
        if name.endswith(LOG_SUFFIX) and (stem := name[: -len(LOG_SUFFIX)]).isdigit():
            segment = LogSegment(disk, directory, int(stem), disk.size(f"{directory}/{name}"), now_ms)
            segment.configure(config)
            segments.append(segment)
    stems = {name[: -len(LOG_SUFFIX)] for name in names if name.endswith(LOG_SUFFIX)}
    for name in names:
        stem, _, suffix = name.partition(".")
        if "." + suffix in (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX) and stem not in stems:
            disk.remove(f"{directory}/{name}")
    return segments


def _read_epochs(disk: Disk, directory: str) -> LeaderEpochs:
    path = f"{directory}/{epoch_checkpoint.FILE}"
    try:
        return LeaderEpochs.decode(disk.read(path), path)
    except FileNotFoundError:
        return LeaderEpochs()
    except checkpoint.MalformedCheckpoint as error:
        _logger.warning("leader epochs ignored: %s", error)
        return LeaderEpochs()


def _recover(disk: Disk, segments: list[LogSegment], recovery_point: int, epochs: LeaderEpochs) -> None:
    """Read the segments from the recovery point on; cut the log where it is not sound any more."""
    first = len(segments) - 1
    while first > 0 and segments[first].base_offset > recovery_point:
        first -= 1
    epochs.truncate_from_end(segments[first].base_offset)
    expected = segments[first].base_offset
    for index in range(first, len(segments)):
        segment = segments[index]
        valid_bytes, expected = _recover_segment(segment, max(expected, segment.base_offset), epochs)
        if valid_bytes < segment.file.size():
            _logger.warning("%s: cut to %d bytes, offset %d", segment.path, valid_bytes, expected)
            segment.file.truncate(valid_bytes)
            for later in segments[index + 1 :]:
                _logger.warning("%s: removed, it lies behind the damage", later.path)
                for suffix in (LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX):
                    disk.remove(later.path_of(suffix))
            del segments[index + 1 :]
            return


def _recover_segment(segment: LogSegment, expected: int, epochs: LeaderEpochs) -> tuple[int, int]:
    """(bytes that are sound, the offset behind them). The segment's size and indexes are those of the sound bytes."""
    size = segment.size
    segment.reset()
    latest_epoch = epochs.latest_epoch
    for header in read_sound(segment, size, expected):
        last_offset = header[0] + header[6]
        segment.append(header[1] + LOG_OVERHEAD, last_offset, header[8])
        if header[2] > latest_epoch:
            latest_epoch = header[2]
            epochs.assign(latest_epoch, header[0])
        expected = last_offset + 1
    segment.written_size = segment.size
    segment.time_index.maybe_append(segment.max_timestamp, segment.max_timestamp_offset)
    return segment.size, expected


def read_sound(segment: LogSegment, size: int, expected: int) -> Iterator[BatchHeader]:
    """The headers from the segment's start to the first batch that is cut, damaged or out of order."""
    position = 0
    window, start = memoryview(b""), 0
    unpack, file = HEADER.unpack_from, segment.file
    while size - position >= MESSAGE_SIZE_MIN:
        at = position - start
        if len(window) - at < HEADER_SIZE:
            window, start, at = memoryview(file.pread(min(_WINDOW_BYTES, size - position), position)), position, 0
            if len(window) < MESSAGE_SIZE_MIN:
                return
        batch_size = int(_INT32.unpack_from(window, at + records.BATCH_LENGTH_AT)[0]) + LOG_OVERHEAD
        if not MESSAGE_SIZE_MIN <= batch_size <= size - position:
            return
        if len(window) - at < batch_size:
            wanted = max(batch_size, min(_WINDOW_BYTES, size - position))
            window, start, at = memoryview(file.pread(wanted, position)), position, 0
        batch = window[at : at + batch_size]
        if window[at + records.MAGIC_AT] == records.MAGIC and batch_size >= HEADER_SIZE:
            header: BatchHeader = unpack(batch)
            if records.crc32c(batch[records.ATTRIBUTES_AT :]) != header[4]:
                return
        else:
            try:
                header = records.validate_batch(batch)[:13]
            except ProtocolError:
                return
        if header[0] < expected or header[6] < 0:
            return
        yield header
        expected = header[0] + header[6] + 1
        position += batch_size


def rebuild_producers(log: PartitionLog, trusted: int | None = None) -> None:
    """The producers' state as of the log end: from the newest usable snapshot, then from the batches behind it.

    Snapshots above `trusted` (the log end if None) are not used; those above the log end are removed.
    """
    disk, directory = log.log_dir.disk, log.directory
    trusted = log.log_end_offset if trusted is None else trusted
    offsets = []
    for name in disk.list_directory(directory):
        stem, _, suffix = name.partition(".")
        if "." + suffix == SNAPSHOT_SUFFIX and stem.isdigit():
            if int(stem) <= trusted:
                offsets.append((int(stem), name))
            else:
                disk.remove(f"{directory}/{name}")
    log.producers.clear()
    log.snapshot_offset = log.log_start_offset if log.log_end_offset == log.log_start_offset else -1
    start = log.log_start_offset
    for offset, name in sorted(offsets, reverse=True):
        try:
            entries = producer_snapshot.decode(disk.read(f"{directory}/{name}"))
        except producer_snapshot.CorruptSnapshot as error:
            _logger.warning("%s/%s ignored: %s", directory, name, error)
            disk.remove(f"{directory}/{name}")
            continue
        log.producers.load(entries, offset)
        log.snapshot_offset = start = offset
        break
    if start < log.log_end_offset:
        _replay(log, start)
    log.producers.map_end_offset = log.log_end_offset


def _replay(log: PartitionLog, start: int) -> None:
    for segment in log.segments.from_offset(start):
        found = segment.find(start, segment.size) if segment.base_offset < start else (0, 0, 0)
        if found is None:
            continue
        for position, header in segment.headers(found[0], segment.size):
            if header[9] >= 0 and header[0] >= start:
                view = memoryview(segment.peek(position, header[1] + LOG_OVERHEAD))
                log.replay_producer(next(records.batches(view)))
