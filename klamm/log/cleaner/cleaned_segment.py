"""The segment that a compaction pass writes, under `.cleaned` names beside those that it is to replace.

Nobody reads it before it is whole: `finish` writes the indexes, syncs everything and gives the files the age of what
they replace, so that retention by time counts on. Index entries are Kafka's: one at the first batch after every
`index.interval.bytes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from klamm.kproto.records import NO_TIMESTAMP
from klamm.log.offset_index import OffsetIndex
from klamm.log.segment import LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, file_stem
from klamm.log.swap import CLEANED_SUFFIX
from klamm.log.time_index import TimeIndex
from klamm.log.txn_index import encode

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.txn_index import AbortedTxn

SIZE_BYTES_MAX: Final = (1 << 31) - 1
_WRITE_BYTES: Final = 1 << 20


class CleanedTooLarge(Exception):
    """The cleaned segment would exceed what positions in indexes can say: what is recompressed may grow."""


class CleanedSegment:
    """A segment being written. `size` counts the bytes of the batches added."""

    __slots__ = (
        "_buffer",
        "_buffered_bytes",
        "_bytes_since_entry",
        "_disk",
        "_file",
        "_interval_bytes",
        "_max_timestamp",
        "_max_timestamp_offset",
        "_names",
        "_offset_index",
        "_stem",
        "_time_index",
        "_written_bytes",
        "base_offset",
        "size",
    )

    def __init__(self, disk: Disk, directory: str, base_offset: int, index_interval_bytes: int) -> None:
        self._disk = disk
        self._stem = f"{directory}/{file_stem(base_offset)}"
        self._interval_bytes = index_interval_bytes
        self._offset_index = OffsetIndex(base_offset)
        self._time_index = TimeIndex(base_offset)
        self._bytes_since_entry = 0
        self._max_timestamp = NO_TIMESTAMP
        self._max_timestamp_offset = base_offset
        self._buffer: list[bytes] = []
        self._buffered_bytes = self._written_bytes = 0
        self._names: list[str] = []
        self.base_offset = base_offset
        self.size = 0
        self._file = disk.open(self._path(LOG_SUFFIX), create=True)
        self._names.append(LOG_SUFFIX)
        self._file.truncate(0)

    def _path(self, suffix: str) -> str:
        return self._stem + suffix + CLEANED_SUFFIX

    def note(self, size: int, last_offset: int, max_timestamp: int) -> None:
        """Account for the next batch. Raises CleanedTooLarge."""
        if max_timestamp > self._max_timestamp:
            self._max_timestamp, self._max_timestamp_offset = max_timestamp, last_offset
        if self._bytes_since_entry > self._interval_bytes:
            self._offset_index.append(last_offset, self.size)
            self._time_index.maybe_append(self._max_timestamp, self._max_timestamp_offset)
            self._bytes_since_entry = 0
        self._bytes_since_entry += size
        self.size += size
        if self.size > SIZE_BYTES_MAX:
            raise CleanedTooLarge(f"{self._stem}: more than {SIZE_BYTES_MAX} bytes after cleaning")

    def write(self, data: bytes) -> None:
        """Add the bytes of batches that were noted."""
        self._buffer.append(data)
        self._buffered_bytes += len(data)
        if self._buffered_bytes >= _WRITE_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            self._file.pwrite(b"".join(self._buffer), self._written_bytes)
            self._written_bytes += self._buffered_bytes
            self._buffer.clear()
            self._buffered_bytes = 0

    def finish(self, aborted: list[AbortedTxn], modified_ms: int) -> list[str]:
        """Write everything and sync it: the suffixes, before `.cleaned`, that the segment's files have."""
        self._flush()
        self._file.fsync()
        self._file.close()
        self._time_index.maybe_append(self._max_timestamp, self._max_timestamp_offset)
        for suffix, index in ((OFFSET_INDEX_SUFFIX, self._offset_index), (TIME_INDEX_SUFFIX, self._time_index)):
            _, rows = index.unwritten() or (0, b"")
            self._write_file(suffix, rows)
        if aborted:
            self._write_file(TXN_INDEX_SUFFIX, encode(aborted))
        for suffix in self._names[:3]:
            self._disk.set_modified_ms(self._path(suffix), modified_ms)
        self._disk.fsync_directory(self._stem.rpartition("/")[0])
        return self._names

    def _write_file(self, suffix: str, data: bytes) -> None:
        self._names.append(suffix)
        file = self._disk.open(self._path(suffix), create=True)
        try:
            file.pwrite(data, 0)
            file.truncate(len(data))
            file.fsync()
        finally:
            file.close()

    def remove(self) -> None:
        """Give it up."""
        self._file.close()
        for suffix in self._names:
            self._disk.remove(self._path(suffix))
