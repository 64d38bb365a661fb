"""How a log starts: from what a clean stop left, or from whatever a crash left.

After a clean stop files are taken as they are (indexes are checked when they are first used). Otherwise everything from
the recovery point on is read again: the first batch that is not whole, sound and in order ends the log, its indexes are
made anew, epochs and producers are taken from the batches. Below the recovery point all was synced. What Kafka does
otherwise with damage, and why, is told in docs/recovery.md.
"""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.log import checkpoint, epoch_checkpoint, partition_metadata
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.partition_log import PartitionLog
from klamm.log.producer_replay import Snapshots, check_txn_index, load_producers
from klamm.log.producer_state import ProducerState
from klamm.log.segment import (
    DELETED_SUFFIX,
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    LogSegment,
    file_stem,
)
from klamm.log.segments import Segments
from klamm.log.soundness import SoundPart, read_sound
from klamm.log.swap import finish_swaps

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.log_config import LogConfig
    from klamm.log.log_dir import LogDir

_logger = logging.getLogger(__name__)

_COPY_BYTES: Final = 1 << 20
_INDEX_SUFFIXES: Final = (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX)
_LEFTOVERS: Final = (DELETED_SUFFIX, ".cleaned", ".tmp")
_SNAPSHOT_BEING_DELETED: Final = ".checkpoint.deleted"
"""A snapshot of the metadata log: its own recovery looks after it."""


class MisplacedSegment(OSError):
    """A segment whose batches are sound but belong below it: a file under a wrong name, which nobody may cut."""


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
    cleaned_offset: int = 0,
) -> PartitionLog:
    """The log in `directory` (a path), made if it is missing. Raises OSError, InconsistentTopicId.

    `is_clean`: the last stop was clean. The offsets are those of the checkpoints, 0 where there is none; what is below
    `cleaned_offset` has been compacted. `topic_id` is written to `partition.metadata` (on the flusher) if that is
    missing, and must agree with it otherwise.
    """
    disk = log_dir.disk
    disk.make_directory(directory)
    known_topic_id = partition_metadata.read_topic_id(disk, f"{directory}/{partition_metadata.FILE}")
    now_ms = log_dir.clock.time_ms()
    forget_before_ms = now_ms - log_dir.producer_id_expiration_ms
    found = _load(
        disk, directory, config, is_clean, recovery_point, log_start_offset, cleaned_offset, now_ms, forget_before_ms
    )
    segments = found.segments
    log = PartitionLog(
        log_dir,
        directory,
        topic,
        partition,
        known_topic_id,
        config,
        Segments(segments),
        epochs=found.epochs,
        producers=found.producers,
        log_start_offset=found.start_offset,
        log_end_offset=found.end_offset,
        recovery_point=found.end_offset if is_clean else max(found.start_offset, min(recovery_point, found.end_offset)),
    )
    log.snapshot_offset = found.snapshot_offset
    log.update_high_watermark(high_watermark)
    is_new = log.log_end_offset == log.segments[0].base_offset
    # After a crash nobody knows which names are synced, nor that what was removed just now stays so.
    log.has_new_files = is_new or not is_clean
    if topic_id is not None:
        log.assign_topic_id(topic_id)
    for segment in segments[:-1] if is_new else segments:
        segment.close()  # most logs rest: a descriptor is opened again by who needs it
    return log


class _Found(NamedTuple):
    """What a directory holds; `snapshot_offset` is the newest that has a producer snapshot, or the log's start."""

    segments: list[LogSegment]
    epochs: LeaderEpochs
    producers: ProducerState
    start_offset: int
    end_offset: int
    snapshot_offset: int


def _load(
    disk: Disk,
    directory: str,
    config: LogConfig,
    is_clean: bool,
    recovery_point: int,
    log_start_offset: int,
    cleaned_offset: int,
    now_ms: int,
    forget_before_ms: int,
) -> _Found:
    names = _clear(disk, directory)
    segments = _find_segments(disk, directory, names, config, now_ms)
    snapshots = Snapshots(disk, directory, names, forget_before_ms)
    producers = ProducerState()
    unread = len(segments) if is_clean else _first_to_read(segments, recovery_point)
    is_read = unread < len(segments)
    epochs = _read_epochs(disk, directory, segments[:unread])
    _check_indexes(segments[:unread], names, snapshots, log_start_offset)
    end_offset = -1
    if is_read:
        if config.preallocated_bytes and unread:
            _trim(segments[unread - 1], segments[unread].base_offset)
        end_offset = _recover(disk, segments, unread, epochs, producers, snapshots, log_start_offset, now_ms)
        end_offset = _drop_lost_end(disk, segments, unread, end_offset, cleaned_offset)
        producers.map_end_offset = min(producers.map_end_offset, end_offset)
    elif segments:
        end_offset = _end(segments[-1])
    if not segments or end_offset < log_start_offset:
        # Records below the log start are nobody's any more; Kafka begins anew there too.
        if segments:
            epochs.clear()
            disk.write_atomic(f"{directory}/{epoch_checkpoint.FILE}", epochs.encode())
        _remove(disk, segments)
        segments = [LogSegment.create(disk, directory, log_start_offset, now_ms, config.preallocated_bytes)]
        end_offset, is_read = log_start_offset, False
    start_offset = max(log_start_offset, segments[0].base_offset)
    epochs.truncate_from_end(end_offset)
    epochs.truncate_from_start(log_start_offset)
    bases = [segment.base_offset for segment in segments]
    snapshots.keep_between(start_offset, end_offset)
    if is_read:
        producers.remove_expired(forget_before_ms)  # as by Kafka, which writes a snapshot now and reads it back
    else:
        load_producers(producers, segments, snapshots, start_offset, end_offset, keep_at=bases[-2:])
    snapshots.remove_strays(set(bases))
    snapshot_offset = snapshots.newest(start_offset)
    for segment in segments[:-1]:
        segment.is_sealed = True
    return _Found(segments, epochs, producers, start_offset, end_offset, snapshot_offset)


# -- files --


def _clear(disk: Disk, directory: str) -> list[str]:
    """Finish or forget what was under way; the names that are left."""
    names = finish_swaps(disk, directory, disk.list_directory(directory))
    left = []
    for name in names:
        if name.endswith(_LEFTOVERS) and not name.endswith(_SNAPSHOT_BEING_DELETED):
            disk.remove(f"{directory}/{name}")
        else:
            left.append(name)
    return left


def _find_segments(disk: Disk, directory: str, names: list[str], config: LogConfig, now_ms: int) -> list[LogSegment]:
    """The segments by base offset. Names that no segment has are left alone; indexes without a segment go."""
    segments = []
    stems = set()
    for name in names:
        stem = name[: -len(LOG_SUFFIX)]
        if name.endswith(LOG_SUFFIX) and stem.isdecimal() and stem == file_stem(int(stem)):
            stems.add(stem)
            segment = LogSegment(disk, directory, int(stem), disk.size(f"{directory}/{name}"), now_ms)
            segment.configure(config)
            segments.append(segment)
    for name in names:
        stem, dot, suffix = name.partition(".")
        if dot + suffix in _INDEX_SUFFIXES and stem.isdecimal() and stem not in stems:
            _logger.warning("%s/%s removed: it is the index of no segment", directory, name)
            disk.remove(f"{directory}/{name}")
    return segments


def _remove(disk: Disk, segments: list[LogSegment]) -> None:
    for segment in segments:
        _logger.warning("%s: removed", segment.path)
        segment.close()
        for suffix in (LOG_SUFFIX, *_INDEX_SUFFIXES):
            disk.remove(segment.path_of(suffix))


def _read_epochs(disk: Disk, directory: str, segments: list[LogSegment]) -> LeaderEpochs:
    """The leader epochs of the file; those of the batches in `segments` when it has none.

    Kafka leaves an empty file behind when it is killed early; one that is no checkpoint keeps it from starting.
    """
    path = f"{directory}/{epoch_checkpoint.FILE}"
    try:
        epochs = LeaderEpochs.decode(disk.read(path), path)
    except FileNotFoundError:
        epochs = LeaderEpochs()
    except checkpoint.MalformedCheckpoint as error:
        _logger.warning("leader epochs are taken from the batches: %s", error)
        epochs = LeaderEpochs()
    if not epochs.entries():
        for segment in segments:
            for _, header in segment.headers(0, segment.size):
                if header[2] < 0:
                    break  # of a format without epochs, as is what stands beside it
                if header[2] > epochs.latest_epoch:
                    epochs.assign(header[2], header[0])
    return epochs


# -- what is not read again --


def _check_indexes(segments: list[LogSegment], names: list[str], snapshots: Snapshots, start: int) -> None:
    """Make missing indexes anew; see that aborted transactions are those of the batches."""
    known = set(names)
    for place, segment in enumerate(segments):
        stem = file_stem(segment.base_offset)
        if segment.size and not {stem + OFFSET_INDEX_SUFFIX, stem + TIME_INDEX_SUFFIX} <= known:
            _logger.warning("%s: an index is missing; both are made anew", segment.path)
            segment.rebuild_indexes()
        if stem + TXN_INDEX_SUFFIX in known:
            check_txn_index(segments, place, snapshots, start)


def _end(segment: LogSegment) -> int:
    """The end offset of a log whose last segment this is; what is no whole batch behind it is cut off.

    Kafka leaves it there, and appends behind it.
    """
    offset, position = segment.end()
    if position < segment.size:
        _logger.warning("%s: cut to %d bytes, offset %d, although its stop was clean", segment.path, position, offset)
        segment.cut_tail(position)
    return offset


def _trim(segment: LogSegment, next_offset: int) -> None:
    """Cut off what the last segment below the recovery point had reserved and no more needed.

    All its records were synced when it was sealed, but the cut that came then may not have reached the disk.
    """
    offset, position = segment.end()
    if offset == next_offset and position < segment.size:
        segment.cut_tail(position)


# -- what is read again --


def _first_to_read(segments: list[LogSegment], recovery_point: int) -> int:
    first = max(len(segments) - 1, 0)
    while first > 0 and segments[first].base_offset > recovery_point:
        first -= 1
    return first


def _recover(
    disk: Disk,
    segments: list[LogSegment],
    first: int,
    epochs: LeaderEpochs,
    producers: ProducerState,
    snapshots: Snapshots,
    log_start_offset: int,
    now_ms: int,
) -> int:
    """Read the segments from `first` on; cut the log where it is not sound any more. The offset behind it.

    `producers` are those of the log's end then. Raises OSError.
    """
    snapshots.keep_between(log_start_offset, segments[first].base_offset)
    load_producers(producers, segments[:first], snapshots, log_start_offset, segments[first].base_offset)
    end_offset = segments[first].base_offset
    index = first
    while index < len(segments):
        segment = segments[index]
        if segment.base_offset > log_start_offset and segment.base_offset not in snapshots:
            snapshots.write(segment.base_offset, producers)
        size = segment.size
        part = read_sound(segment, size, epochs, producers)
        if part.first_offset is not None and part.first_offset < segment.base_offset:
            reason = f"its first batch has offset {part.first_offset}, which no segment of this name has"
            raise MisplacedSegment(errno.EIO, reason, segment.path)
        end_offset = part.next_offset
        rest = _split(disk, segments, index, part, now_ms) if part.overflows else None
        segment.take(part)
        if rest is not None:
            segments.insert(index + 1, rest)
            if not part.size:
                _remove(disk, [segments.pop(index)])
                continue
        elif part.size < size:
            _logger.warning("%s: cut to %d bytes, offset %d", segment.path, part.size, end_offset)
            if segments[index + 1 :]:
                _remove(disk, segments[index + 1 :])
                disk.fsync_directory(segment.path.rpartition("/")[0])  # or they may come back behind other records
                del segments[index + 1 :]
        index += 1
    return end_offset


def _drop_lost_end(disk: Disk, segments: list[LogSegment], first: int, end_offset: int, cleaned_offset: int) -> int:
    """Remove segments at the end that have lost all their records, like the one before them a part. The end offset.

    Power was lost with the names of files on the disk and not what was in them. Nobody could follow a leader over such
    a gap at its end: there is nothing behind it to fetch. Compaction makes gaps, too, below `cleaned_offset`.
    """
    dropped = []
    while len(segments) > first + 1 and not segments[-1].size:
        before, _ = segments[-2].end()
        if before >= segments[-1].base_offset or before < cleaned_offset:
            break
        dropped.append(segments.pop())
        end_offset = before
    if dropped:
        _logger.warning("%s: the segments behind offset %d are empty: cut there", segments[-1].path, end_offset)
        _remove(disk, dropped)
        disk.fsync_directory(segments[-1].path.rpartition("/")[0])
    return end_offset


def _split(disk: Disk, segments: list[LogSegment], index: int, part: SoundPart, now_ms: int) -> LogSegment | None:
    """A segment of the batches that are too far from the base offset of theirs (KAFKA-6264); None if that is damage.

    It is whole and synced before the other one is cut, so that a crash in between only repeats this.
    """
    segment = segments[index]
    base_offset = segment.base_offset_at(part.size)
    if index + 1 < len(segments) and segments[index + 1].base_offset == base_offset:
        del segments[index + 1]  # begun before a crash
    expected = base_offset
    for _, header in segment.headers(part.size, segment.size):
        if header[0] < expected:
            return None
        expected = header[0] + header[6] + 1
    if index + 1 < len(segments) and segments[index + 1].base_offset < expected:
        return None
    directory = segment.path.rpartition("/")[0]
    _logger.warning("%s: split at offset %d, too far from its beginning", segment.path, base_offset)
    rest = LogSegment.create(disk, directory, base_offset, now_ms)
    rest.index_interval_bytes, rest.index_bytes_max = segment.index_interval_bytes, segment.index_bytes_max
    for position in range(part.size, segment.size, _COPY_BYTES):
        rest.file.pwrite(segment.file.pread(_COPY_BYTES, position)[: segment.size - position], position - part.size)
    rest.file.fsync()
    disk.fsync_directory(directory)
    rest.size = rest.written_size = segment.size - part.size
    return rest
