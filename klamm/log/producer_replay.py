"""The producers of a log that is opened or cut: from the newest snapshot that can be used, then from the batches.

A snapshot counts only below what is still trusted; files that can never be used again are removed by Kafka's rules.
Batches are taken as they stand in the log, nothing is checked: the log is right.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from klamm.kproto import records
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.records import LOG_OVERHEAD
from klamm.log import producer_snapshot
from klamm.log.index_entries import CorruptIndex
from klamm.log.producer_state import CompletedTxn, ProducerState, aborted_txn, read_marker
from klamm.log.segment import SNAPSHOT_SUFFIX, BatchHeader, LogSegment, file_stem
from klamm.log.txn_index import AbortedTxn

if TYPE_CHECKING:
    from klamm.log.buffers import Buffer
    from klamm.log.disk import Disk
    from klamm.log.partition_log import PartitionLog

_logger = logging.getLogger(__name__)

_SEQUENCE_MAX: Final = 0x7FFFFFFF


class Snapshots:
    """The snapshot files of one partition's directory, by offset.

    A producer is taken out of one only if it has sent something after `forget_before_ms`, or its transaction is open.
    """

    def __init__(self, disk: Disk, directory: str, names: Iterable[str], forget_before_ms: int) -> None:
        self._disk = disk
        self._directory = directory
        self._forget_before_ms = forget_before_ms
        self._names = {
            int(name[: -len(SNAPSHOT_SUFFIX)]): name
            for name in names
            if name.endswith(SNAPSHOT_SUFFIX) and name[: -len(SNAPSHOT_SUFFIX)].isdecimal()
        }

    def __contains__(self, offset: int) -> bool:
        return offset in self._names

    def newest(self, default: int) -> int:
        """The highest offset, `default` without any."""
        return max(self._names, default=default)

    def _remove(self, offset: int) -> None:
        self._disk.remove(f"{self._directory}/{self._names.pop(offset)}")

    def keep_between(self, start: int, end: int) -> None:
        """Remove those at `start` or below, where nothing is left to forget, and those above `end`."""
        for offset in [offset for offset in self._names if not start < offset <= end]:
            self._remove(offset)

    def remove_strays(self, base_offsets: set[int]) -> None:
        """Remove those at which no segment begins; the newest may be that of a clean stop, at the log's end."""
        strays = sorted(offset for offset in self._names if offset not in base_offsets)
        if strays and strays[-1] >= max(base_offsets):
            del strays[-1]
        for offset in strays:
            self._remove(offset)

    def load(self, producers: ProducerState, end: int, default: int) -> int:
        """Put the newest readable snapshot up to `end` into `producers`; its offset, `default` if there is none."""
        producers.clear()
        for offset in sorted((offset for offset in self._names if offset <= end), reverse=True):
            path = f"{self._directory}/{self._names[offset]}"
            try:
                entries = producer_snapshot.decode(self._disk.read(path))
            except producer_snapshot.CorruptSnapshot as error:
                _logger.warning("%s ignored: %s", path, error)
                self._remove(offset)
                continue
            producers.load((entry for entry in entries if entry.is_alive(self._forget_before_ms)), offset)
            return offset
        producers.map_end_offset = default
        return default

    def write(self, offset: int, producers: ProducerState) -> None:
        """Write the state as of `offset`, synced."""
        self._names[offset] = name = file_stem(offset) + SNAPSHOT_SUFFIX
        self._disk.write_atomic(f"{self._directory}/{name}", producer_snapshot.encode(producers.producers.values()))


def take_batch(producers: ProducerState, header: BatchHeader, batch: Buffer) -> CompletedTxn | None:
    """A batch of a producer is in the log; the transaction that it ended, if it is a marker. `batch` is all of it."""
    base_offset, _, _, _, _, attributes, delta, _, max_timestamp, producer_id, epoch, sequence, _ = header
    if not attributes & records.CONTROL:
        last_sequence = (sequence + delta) & _SEQUENCE_MAX if sequence >= 0 else -1
        is_transactional = attributes & records.TRANSACTIONAL != 0
        producers.append(
            producer_id, epoch, last_sequence, base_offset, base_offset + delta, max_timestamp, is_transactional
        )
        return None
    try:
        marker = read_marker(next(records.batches(batch)))
    except (KafkaError, ProtocolError, StopIteration) as error:
        _logger.warning("the control batch at offset %d is passed over: %s", base_offset, error)
        return None
    if marker is None:
        return None
    return producers.append_marker(producer_id, epoch, marker[1], base_offset, max_timestamp, marker[0])


def aborted_of(producers: ProducerState, completed: CompletedTxn) -> AbortedTxn:
    """The index entry of a transaction that was just ended."""
    return aborted_txn(completed, producers.last_stable_offset_after(completed))


def replay(producers: ProducerState, segments: Iterable[LogSegment], start: int) -> None:
    """Take all batches of `segments` that hold `start` or later offsets."""
    for segment in segments:
        if not segment.size:
            continue
        found = segment.find(start, segment.size) if segment.base_offset < start else (0, 0, 0)
        if found is None:
            continue
        for position, header in segment.headers(found[0], segment.size):
            if header[9] >= 0:
                take_batch(producers, header, memoryview(segment.peek(position, header[1] + LOG_OVERHEAD)))


def rebuild_producers(log: PartitionLog) -> None:
    """The producers' state as of the end of a log that has been cut; snapshots above the end are removed."""
    disk, directory = log.log_dir.disk, log.directory
    forget_before_ms = log.log_dir.clock.time_ms() - log.log_dir.producer_id_expiration_ms
    snapshots = Snapshots(disk, directory, disk.list_directory(directory), forget_before_ms)
    start, end = log.log_start_offset, log.log_end_offset
    snapshots.keep_between(start, end)
    producers, segments, newest = log.producers, list(log.segments), snapshots.newest(start)
    if not producers.producers and not producers.has_transactions:
        producers.clear()  # nobody has sent anything, so nobody's batches were cut
        producers.map_end_offset, log.snapshot_offset = end, newest
        return
    offset = producers.go_back(end, forget_before_ms)
    if offset is None or offset < newest:
        log.snapshot_offset = load_producers(producers, segments, snapshots, start, end)
        return
    replay(producers, covering(segments, offset), offset)
    producers.map_end_offset, log.snapshot_offset = end, newest


def load_producers(
    producers: ProducerState,
    segments: list[LogSegment],
    snapshots: Snapshots,
    start: int,
    end: int,
    keep_at: Collection[int] = (),
) -> int:
    """The state as of `end`; the offset of the newest snapshot up to it, `start` (the log's) if there is none.

    Where segments begin whose base offsets are in `keep_at`, the state is written on the way.
    """
    offset = snapshots.load(producers, end, start)
    if offset < end:
        newest = offset
        for segment in covering(segments, offset):
            if newest < segment.base_offset < end and segment.base_offset in keep_at:
                newest = segment.base_offset
                snapshots.write(newest, producers)
            replay(producers, [segment], offset)
        offset = newest
    producers.map_end_offset = end
    return offset


def covering(segments: list[LogSegment], offset: int) -> list[LogSegment]:
    """The segment in whose range `offset` falls, and those behind it."""
    first = len(segments) - 1
    while first > 0 and segments[first].base_offset > offset:
        first -= 1
    return segments[max(first, 0) :]


def check_txn_index(segments: list[LogSegment], place: int, snapshots: Snapshots, start: int) -> None:
    """Make the aborted transactions of `segments[place]` anew if the file does not agree with the batches.

    `start` is the log's start offset. Only what is there is checked: that an entry is missing is not seen.
    """
    segment = segments[place]
    try:
        is_sound = all(_is_told(segment, aborted) for aborted in segment.txn_index.entries)
        lasts = [aborted.last_offset for aborted in segment.txn_index.entries]
        if is_sound and lasts == sorted(set(lasts)):
            return
        can_be_kept = True
    except CorruptIndex:
        can_be_kept = False
    producers = ProducerState()
    load_producers(producers, segments[:place], snapshots, start, segment.base_offset)
    rows, end = [], 0
    for position, header in segment.headers(0, segment.size):
        end = position + header[1] + LOG_OVERHEAD
        if header[9] >= 0:
            batch = memoryview(segment.peek(position, header[1] + LOG_OVERHEAD))
            completed = take_batch(producers, header, batch)
            if completed is not None and completed.is_aborted:
                rows.append(aborted_of(producers, completed))
    if end < segment.size and can_be_kept:
        _logger.warning("%s does not agree with its segment, which is damaged itself", segment.txn_index.path)
        return
    _logger.warning("%s does not agree with its segment and is made anew", segment.txn_index.path)
    segment.txn_index.replace(rows)


def _is_told(segment: LogSegment, aborted: AbortedTxn) -> bool:
    """Whether the batches at both offsets of an entry tell the same; compaction may have left gaps there."""
    producer_id, first, last, stable = aborted
    if not (0 <= first <= last and segment.base_offset <= last and 0 <= stable <= last + 1):
        return False
    for offset, mask in ((last, records.CONTROL), (first, records.TRANSACTIONAL)):
        if offset < segment.base_offset:
            continue
        found = segment.find(offset, segment.size)
        if found is None:
            return False
        _, header = next(segment.headers(found[0], segment.size), (0, None))
        if header is None:
            return False
        is_gap = header[0] > offset
        if not is_gap and (header[0] != offset or header[9] != producer_id or not header[5] & mask):
            return False
    return True
