"""One segment of a log: the `.log` file with the indexes beside it, under the name of its first offset.

Knows bytes and positions, not rules: who may append what, and when to roll, is the log's. Large reads are views of the
mapped file, which only the kernel touches, small ones copies; a file that was mapped is never shortened again. Indexes
load when first needed, and are rebuilt from the batches when they are missing or make no sense.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import HEADER, HEADER_SIZE, LOG_OVERHEAD, MAGIC, MAGIC_AT, NO_TIMESTAMP, batches
from klamm.log.index_entries import CorruptIndex
from klamm.log.index_writes import IndexWrites
from klamm.log.offset_index import OffsetIndex
from klamm.log.open_segments import OPENED
from klamm.log.time_index import TimeIndex
from klamm.log.txn_index import TxnIndex

if TYPE_CHECKING:
    from klamm.log.buffers import Buffer
    from klamm.log.disk import Disk, File
    from klamm.log.log_config import LogConfig
    from klamm.log.soundness import SoundPart

_logger = logging.getLogger(__name__)

LOG_SUFFIX: Final = ".log"
OFFSET_INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TXN_INDEX_SUFFIX: Final = ".txnindex"
SNAPSHOT_SUFFIX: Final = ".snapshot"
DELETED_SUFFIX: Final = ".deleted"
SUFFIXES: Final = (LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, SNAPSHOT_SUFFIX)

_SPAN: Final = struct.Struct(">qi4xb6xi")
"""base offset, batch length, magic, last offset delta: what finding a batch takes."""
_INT64: Final = struct.Struct(">q")
_INT32: Final = struct.Struct(">i")
_WINDOW_BYTES: Final = 8192
_MAP_FROM_BYTES: Final = 65536
"""Reads from this size on map the file, anew if need be: touching fresh memory for a copy costs more."""
_OFFSET_SPAN_MAX: Final = (1 << 31) - 1
MESSAGE_SIZE_MIN: Final = 26
"""The smallest batch: a message of version 0 without key and value."""

BatchHeader = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]
"""The fields of `records.HEADER`."""


def file_stem(offset: int) -> str:
    """The name of a segment's files without the suffix: its base offset with 20 digits."""
    return f"{offset:020d}"


class LogSegment:
    """A segment. `size` counts what was handed out to appends, `written_size` what is in the file."""

    __slots__ = (
        "__weakref__",
        "_disk",
        "_end",
        "_file",
        "_max_timestamp",
        "_offset_index",
        "_stem",
        "_time_index",
        "_view",
        "_was_mapped",
        "base_offset",
        "bytes_since_index_entry",
        "created_ms",
        "index_bytes_max",
        "index_interval_bytes",
        "is_index_full",
        "is_preallocated",
        "is_sealed",
        "max_timestamp_offset",
        "roll_jitter_ms",
        "rolling_timestamp",
        "size",
        "txn_index",
        "written_size",
    )

    def __init__(self, disk: Disk, directory: str, base_offset: int, size: int, created_ms: int) -> None:
        self._disk = disk
        self._stem = f"{directory}/{file_stem(base_offset)}"
        self.base_offset = base_offset
        self.size = self.written_size = size
        self.created_ms = created_ms
        self.is_sealed = False
        self.is_index_full = False
        self.roll_jitter_ms = 0
        self.index_interval_bytes = 4096
        self.index_bytes_max = 10_485_760
        self.bytes_since_index_entry = 0
        self.rolling_timestamp: int | None = None
        """The first batch's max timestamp, from which `segment.ms` counts; None: not looked up yet."""
        self.max_timestamp_offset = base_offset
        self._max_timestamp: int | None = None
        self._file: File | None = None
        self.is_preallocated = False
        self._view: memoryview | None = None  # the mapped file, as long as it was then
        self._was_mapped = False
        self._end: tuple[int, int, int] | None = None  # size, and for that size what `end` gives
        self._offset_index: OffsetIndex | None = None
        self._time_index: TimeIndex | None = None
        self.txn_index = TxnIndex(disk, self._stem + TXN_INDEX_SUFFIX)

    @classmethod
    def create(
        cls, disk: Disk, directory: str, base_offset: int, created_ms: int, preallocated_bytes: int = 0
    ) -> LogSegment:
        """A new, empty segment; its file is made, its indexes appear when they are first written."""
        segment = cls(disk, directory, base_offset, 0, created_ms)
        file = segment._file = disk.open(segment.path, create=True)
        if file.size():
            file.truncate(0)  # not of an empty file: ext4 would write all of it out when it is closed
        if preallocated_bytes:
            segment.preallocate(preallocated_bytes)
        segment._offset_index = OffsetIndex(base_offset)
        segment._time_index = TimeIndex(base_offset)
        segment._max_timestamp = NO_TIMESTAMP
        return segment

    @property
    def path(self) -> str:
        return self._stem + LOG_SUFFIX

    def path_of(self, suffix: str) -> str:
        """The path of the file with that suffix beside the segment."""
        return self._stem + suffix

    @property
    def file(self) -> File:
        """The `.log` file, opened when first needed."""
        file = self._file
        if file is None:
            file = self._file = self._disk.open(self.path)
            if self.is_sealed:
                OPENED.add(self)
        return file

    # -- appending --

    def append(self, size: int, last_offset: int, max_timestamp: int) -> None:
        """Account for one batch of `size` bytes that has been given the position `self.size`."""
        position = self.size
        if position == 0:
            self.rolling_timestamp = max_timestamp
        if max_timestamp > (self._max_timestamp if self._max_timestamp is not None else self.max_timestamp):
            self._max_timestamp = max_timestamp
            self.max_timestamp_offset = last_offset
        if self.bytes_since_index_entry > self.index_interval_bytes:
            self._index(last_offset, position)
        self.bytes_since_index_entry += size
        self.size = position + size

    def _index(self, last_offset: int, position: int) -> None:
        offset_index, time_index = self.offset_index, self.time_index
        offset_index.append(last_offset, position)
        time_index.maybe_append(self.max_timestamp, self.max_timestamp_offset)
        self.bytes_since_index_entry = 0
        self._note_fullness()

    def _note_fullness(self) -> None:
        # The time index keeps room for the entry that a roll adds.
        self.is_index_full = (
            len(self.offset_index) >= self.index_bytes_max // 8
            or len(self.time_index) >= self.index_bytes_max // 12 - 1
        )

    def configure(self, config: LogConfig) -> None:
        """Go by another topic configuration from now on."""
        self.index_interval_bytes = config.index_interval_bytes
        self.index_bytes_max = config.segment_index_bytes

    def is_due(self, max_timestamp: int, now_ms: int, config: LogConfig) -> bool:
        """Whether `segment.ms` (less jitter) has passed: by the records' time, or by the clock if they have none."""
        first = self.rolling_timestamp if self.rolling_timestamp is not None else self.first_timestamp
        waited_ms = max_timestamp - first if first >= 0 else now_ms - self.created_ms
        return waited_ms > config.max_segment_ms - self.roll_jitter_ms

    def seal(self) -> None:
        """No more appends: add the last time index entry, as Kafka does at a roll and at a close."""
        if self._max_timestamp is not None:  # else nobody has appended, or even looked
            self.time_index.maybe_append(self._max_timestamp, self.max_timestamp_offset)
        self.trim()
        self.is_sealed = True

    def unseal(self) -> None:
        """The segment becomes the active one again (after a truncation)."""
        self.is_sealed = False

    # -- indexes --

    @property
    def offset_index(self) -> OffsetIndex:
        index = self._offset_index
        if index is None:
            self._load_indexes()
            index = self._offset_index
            assert index is not None
        return index

    @property
    def time_index(self) -> TimeIndex:
        index = self._time_index
        if index is None:
            self._load_indexes()
            index = self._time_index
            assert index is not None
        return index

    def _load_indexes(self) -> None:
        try:
            offset_index = OffsetIndex(self.base_offset, self._read_index(OFFSET_INDEX_SUFFIX))
            offset_index.check(self.size)
            time_index = TimeIndex(self.base_offset, self._read_index(TIME_INDEX_SUFFIX))
            time_index.check()
            self._offset_index, self._time_index = offset_index, time_index
            self._check_end(time_index)
        except CorruptIndex as error:
            if self.size:  # an empty segment has none yet
                _logger.warning("%s: %s; its indexes are made anew", self.path, error)
            self.rebuild_indexes()

    def _check_end(self, time_index: TimeIndex) -> None:
        """Raise CorruptIndex when the last time entry is not what the batches at the end say.

        Retention goes by that entry. The batches behind the last offset entry are read once, for this and for `end`.
        """
        if not self.size:
            if len(time_index):
                raise CorruptIndex("a time index of an empty segment")
            return
        timestamp, offset = time_index.last_entry()
        offset_index = self._offset_index
        position = self._checked(*offset_index.lookup(1 << 62)) if offset_index is not None else 0
        if self._time_index is not time_index:
            return  # the offset index was wrong, and both are new
        is_met = timestamp == NO_TIMESTAMP
        next_offset, end = self.base_offset, position
        largest = last_at = 0
        for at, header in self.headers(position, self.size):
            next_offset, end = header[0] + header[6] + 1, at + header[1] + LOG_OVERHEAD
            largest, last_at = max(largest, end - at), at
            if header[8] > timestamp:
                raise CorruptIndex(f"a time index that ends with timestamp {timestamp}, a batch has {header[8]}")
            is_met = is_met or (header[8] == timestamp and header[0] <= offset < next_offset)
        if last_at - position > 4 * self.index_interval_bytes + 2 * largest:
            raise CorruptIndex(f"an index without an entry behind byte {position}")
        self._end = self.size, next_offset, end
        if not is_met and not self._has_timestamp(timestamp, offset):
            raise CorruptIndex(f"a time index that ends with timestamp {timestamp}, which offset {offset} has not")

    def _has_timestamp(self, timestamp: int, offset: int) -> bool:
        """Whether the batch that holds `offset` has that max timestamp."""
        found = self.find(offset, self.size)
        if found is None:
            return False
        for _, header in self.headers(found[0], self.size):
            return header[8] == timestamp and header[0] <= offset
        return False

    def time_lookup(self, timestamp: int) -> int:
        """The offset up to which no record has a higher timestamp, by an index entry that its batch agrees with."""
        found, offset = self.time_index.lookup(timestamp)
        if found != NO_TIMESTAMP and not self._has_timestamp(found, offset):
            _logger.warning("%s: a wrong time index; its indexes are made anew", self.path)
            self.rebuild_indexes()
            offset = self.time_index.lookup(timestamp)[1]
        return offset

    def upper_bound(self, position: int) -> int | None:
        """An offset behind all that begin before `position`, by the index; None if no entry is there or behind."""
        while (entry := self.offset_index.entry_from(position)) is not None:
            if self._checked(*entry) == entry[1]:
                return entry[0]
        return None

    def _read_index(self, suffix: str) -> bytes:
        try:
            return self._disk.read(self._stem + suffix)
        except FileNotFoundError:
            raise CorruptIndex(f"{self._stem}{suffix} is missing") from None

    def reset(self) -> None:
        """Empty indexes and no size, to have the batches appended to them again; the file is left alone."""
        self._offset_index = OffsetIndex(self.base_offset)
        self._time_index = TimeIndex(self.base_offset)
        self._max_timestamp = NO_TIMESTAMP
        self.max_timestamp_offset = self.base_offset
        self.bytes_since_index_entry = 0
        self.size = 0
        self._end = None

    def take(self, part: SoundPart) -> None:
        """The segment is its sound part from now on; the file is cut to it, and its transaction index made anew."""
        if part.size < self.file.size():
            self.file.truncate(part.size)
            self.file.fsync()  # as in `truncate`
        self._view = self._end = None
        self._offset_index, self._time_index = part.offset_index, part.time_index
        self._max_timestamp, self.max_timestamp_offset = part.max_timestamp, part.max_timestamp_offset
        self.rolling_timestamp = part.first_timestamp
        self.bytes_since_index_entry = part.bytes_since_index_entry
        self.size = self.written_size = part.size
        self._note_fullness()
        self.txn_index.replace(part.aborted)

    def cut_tail(self, position: int) -> None:
        """Drop what follows the last whole batch."""
        self.file.truncate(position)
        self.file.fsync()  # as in `truncate`
        self.size = self.written_size = position
        self._view = self._end = None

    def rebuild_indexes(self) -> None:
        """Make both indexes anew from the headers of the batches."""
        size = self.size
        self.reset()
        previous = self.base_offset - 1
        for _, header in self.headers(0, size):
            last_offset = header[0] + header[6]
            if previous < last_offset <= self.base_offset + _OFFSET_SPAN_MAX:
                previous = last_offset
                self.append(header[1] + LOG_OVERHEAD, last_offset, header[8])
            else:
                # Damage that nobody has cut off: such a batch is reached from the one before it.
                self.size += header[1] + LOG_OVERHEAD
        self.size = size
        self.time_index.maybe_append(self.max_timestamp, self.max_timestamp_offset)

    @property
    def max_timestamp(self) -> int:
        """The highest timestamp in the segment, -1 if there is none; `max_timestamp_offset` is where it was met."""
        if self._max_timestamp is None:
            self._max_timestamp, self.max_timestamp_offset = self.time_index.last_entry()
        return self._max_timestamp

    @property
    def largest_timestamp(self) -> int:
        """What `retention.ms` counts from: the highest timestamp, or the segment's own age if there is none."""
        return self.max_timestamp if self.max_timestamp >= 0 else self.created_ms

    def end(self) -> tuple[int, int]:
        """(the offset behind the last whole batch, its end in bytes), from the headers behind the last index entry."""
        index = self.offset_index
        if self._end is not None and self._end[0] == self.size:
            return self._end[1:]
        offset, end = self.base_offset, self._checked(*index.lookup(1 << 62))
        for position, header in self.headers(end, self.size):
            offset, end = header[0] + header[6] + 1, position + header[1] + LOG_OVERHEAD
        return offset, end

    def next_offset(self) -> int:
        """The offset behind the last whole batch; the base offset without any."""
        return self.end()[0]

    @property
    def first_timestamp(self) -> int:
        """The max timestamp of the first batch; -1 without one."""
        if self.rolling_timestamp is None:
            if self.size < HEADER.size:
                return NO_TIMESTAMP
            self.rolling_timestamp = int(HEADER.unpack_from(self.peek(0, HEADER.size))[8])
        return self.rolling_timestamp

    def index_writes(self) -> Callable[[], None] | None:
        """The job that brings the index files up to date and syncs them, fit for another thread; None: they are."""
        jobs: list[tuple[str, int, bytes]] = []
        if self._offset_index is not None and (rows := self._offset_index.unwritten()) is not None:
            jobs.append((self._stem + OFFSET_INDEX_SUFFIX, *rows))
        if self._time_index is not None and (rows := self._time_index.unwritten()) is not None:
            jobs.append((self._stem + TIME_INDEX_SUFFIX, *rows))
        return IndexWrites(self._disk, self.path, jobs) if jobs else None

    # -- reading --

    def peek(self, position: int, size: int) -> bytes:
        """A copy of up to `size` bytes at `position`, to be looked at. Raises OSError."""
        return self.file.pread(size, position)

    def lend(self, position: int, size: int) -> Buffer:
        """`size` bytes at `position`, to be sent: a view of the mapped file, or a copy of what is small.

        Only the kernel may touch a view: a page that the disk cannot read is an error of `send`, but would end this
        process here. Raises OSError.
        """
        if self._disk.is_memory:
            # A view of a file in memory is a copy of all of it.
            if not self.is_sealed or self.written_size < self.size:
                return self.peek(position, size)
        elif size < _MAP_FROM_BYTES:
            return self.peek(position, size)
        view = self._view
        if view is None or position + size > len(view):
            self._was_mapped = True
            view = self._view = self.file.view()
            if not self._disk.is_memory:
                OPENED.add(self)
        return view[position : position + size]

    def let_go(self) -> None:
        """Drop the mapping, which goes with the last view that was given out, and close the file unless it grows."""
        self._view = None
        if self.is_sealed and self.written_size == self.size:
            self.close()

    def headers(self, position: int, end: int) -> Iterator[tuple[int, BatchHeader]]:
        """(position, header) of the batches from `position`, a batch boundary, to `end`; stops at a cut one."""
        window, start = b"", position
        unpack = HEADER.unpack_from
        while position + MESSAGE_SIZE_MIN <= end:
            at = position - start
            if at + HEADER_SIZE > len(window):
                start, at = position, 0
                window = self.peek(position, min(65536, end - position))
                if len(window) < MESSAGE_SIZE_MIN:
                    return
            if window[at + MAGIC_AT] < MAGIC:
                size = self.batch_size_at(position)
                if size < MESSAGE_SIZE_MIN or position + size > end:
                    return
                header = legacy_header(self.peek(position, size))
            elif len(window) - at < HEADER_SIZE:
                return
            else:
                header = unpack(window, at)
                size = header[1] + LOG_OVERHEAD
                if size < HEADER_SIZE or position + size > end:
                    return
            yield position, header
            position += size

    def find(self, offset: int, end: int, *, is_read: bool = False) -> tuple[int, int, int] | None:
        """(position, size, base offset) of the first batch before `end` that holds `offset` or a later one.

        `is_read`: for a reader, who must not be led past what cannot be a batch. Raises KafkaError: CORRUPT_MESSAGE.
        """
        position = self._checked(*self.offset_index.lookup(offset))
        unpack = _SPAN.unpack_from
        while position < end:
            window = self.peek(position, _WINDOW_BYTES)
            stop = len(window) - _SPAN.size
            at = 0
            while at <= stop:
                base_offset, length, magic, delta = unpack(window, at)
                if magic < 2:
                    delta = 0
                if length < MESSAGE_SIZE_MIN - LOG_OVERHEAD:
                    if is_read and position + at < end:
                        raise KafkaError(
                            errors.CORRUPT_MESSAGE, f"{self.path} has a batch of length {length} at {position + at}"
                        )
                    return None
                if base_offset + delta >= offset:
                    return (position + at, length + 12, base_offset) if position + at < end else None
                at += length + 12
            if at == 0:
                return None
            position += at
        return None

    def _checked(self, offset: int, position: int) -> int:
        """`position` of the index entry for `offset`, if a batch that ends with `offset` does begin there.

        Whoever trusts a wrong index serves wrong bytes: it is made anew, and looking begins at the start this time.
        """
        if position == 0:
            return 0
        span = self.peek(position, _SPAN.size) if 0 < position < self.size else b""
        if len(span) == _SPAN.size:
            base_offset, length, magic, delta = _SPAN.unpack_from(span)
            if (
                base_offset + (delta if magic >= MAGIC else 0) == offset
                and 0 <= magic <= MAGIC
                and 0 < length <= self.size - position - LOG_OVERHEAD
            ):
                return position
        _logger.warning("%s: a wrong offset index; its indexes are made anew", self.path)
        self.rebuild_indexes()
        return 0

    def boundary(self, start: int, limit: int) -> int:
        """The last batch boundary at or before `limit`; `start` is one too, and the least that is given."""
        position = max(start, self._checked(*self.offset_index.floor_position(limit)))
        unpack = _SPAN.unpack_from
        while True:
            window = self.peek(position, _WINDOW_BYTES)
            stop = len(window) - _SPAN.size
            at = 0
            while at <= stop:
                after = at + int(unpack(window, at)[1]) + 12
                if position + after > limit or after <= at:
                    return position + at
                at = after
            if at == 0 or position + at >= self.size:
                return position + at
            position += at

    def batch_size_at(self, position: int) -> int:
        """The size of the batch that begins at `position`."""
        return int(_INT32.unpack_from(self.peek(position, 12), 8)[0]) + 12

    def base_offset_at(self, position: int) -> int:
        """The base offset of the batch that begins at `position`."""
        return int(_INT64.unpack_from(self.peek(position, 8))[0])

    # -- files --

    def truncate(self, offset: int, position: int) -> None:
        """Cut to `position`, where the first batch of `offset` or above begins; the segment becomes an active one."""
        if not self._was_mapped:
            self.file.truncate(position)
            self.file.fsync()  # or a crash may bring what was cut back, behind the records that come in its place
        else:
            # Readers may hold views of the mapped file: it stays as it is, a shorter copy takes its name.
            data = self.file.pread(position, 0)
            self.close()
            self._disk.write_atomic(self.path, data)
            self._view = None
            self._was_mapped = False
        self.unseal()
        self.size = self.written_size = position
        self.offset_index.truncate_to(offset)
        self.time_index.truncate_to(offset)
        self.txn_index.truncate_to(offset)
        self.bytes_since_index_entry = 0
        self.is_index_full = False
        self._end = None
        # The last index entry may lie before the highest timestamp that is left.
        self._max_timestamp, self.max_timestamp_offset = self.time_index.last_entry()
        start = self._checked(*self.offset_index.lookup(self.max_timestamp_offset))
        for _, header in self.headers(start, position):
            if header[8] > self._max_timestamp:
                self._max_timestamp, self.max_timestamp_offset = header[8], header[0] + header[6]
        if position == 0:
            self.rolling_timestamp = None

    def preallocate(self, size: int) -> None:
        """Reserve the file's space (`preallocate`); `trim` gives back what was not needed."""
        self.file.preallocate(size)
        self.is_preallocated = True

    def trim(self) -> None:
        if self.is_preallocated:
            self._view = None  # it reaches beyond the new end; those that were given out do not
            self.file.truncate(self.size)
            self.is_preallocated = False

    def rename_to_deleted(self, suffixes: Iterable[str] = SUFFIXES) -> list[str]:
        """Give the files the suffix of deleted ones; the new paths. What is mapped stays readable."""
        renamed = []
        for suffix in suffixes:
            path = self._stem + suffix
            try:
                self._disk.rename(path, path + DELETED_SUFFIX)
            except FileNotFoundError:
                continue  # never written, or just removed by `IndexWrites`
            renamed.append(path + DELETED_SUFFIX)
        return renamed

    def close(self) -> None:
        """Close the file descriptor; a later use opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def legacy_header(message: Buffer) -> BatchHeader:
    """What stands for the header of a message of version 0 or 1."""
    header = next(batches(message))
    return header[:13]
