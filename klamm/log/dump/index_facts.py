"""Facts of the indexes beside a segment, each entry held against the log.

An index of a running or killed broker ends with zeros, which Kafka preallocates; they are no entries. The sanity check
is the one that Kafka makes when it starts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from klamm.kproto import records
from klamm.kproto.errors import ProtocolError
from klamm.kproto.records import HEADER_SIZE, LOG_OVERHEAD, NO_TIMESTAMP
from klamm.log.dump.batch_walk import SIZE_MIN, Unreadable, records_of, walk
from klamm.log.dump.data_files import OFFSET_INDEX, DataFile
from klamm.log.dump.facts import DumpOptions, Fact, Facts, damage
from klamm.log.segment import LOG_SUFFIX, OFFSET_INDEX_SUFFIX

if TYPE_CHECKING:
    from klamm.log.disk import Disk, File

OFFSET_ENTRY: Final = struct.Struct(">ii")
TIME_ENTRY: Final = struct.Struct(">qi")
_TXN_ENTRY: Final = struct.Struct(">bBqqqq")
"""Kafka reads the first byte of the version alone."""
_SPAN: Final = struct.Struct(">qi4xb6xi")
"""base offset, batch length, magic, last offset delta"""


def index_facts(disk: Disk, file: DataFile, options: DumpOptions) -> Facts:
    """`index_entry` or `time_index_entry` each followed by what is wrong with it; `sanity`; `empty`; `damage`."""
    data = disk.read(file.path)
    if options.progress is not None:
        options.progress(len(data))
    entry = OFFSET_ENTRY if file.kind == OFFSET_INDEX else TIME_ENTRY
    if not data and (file.kind == OFFSET_INDEX or not options.index_sanity_check):
        yield {"fact": "empty", "file": file.path}
        return
    if options.index_sanity_check:
        reason = insane(data, entry, file)
        fact: Fact = {"fact": "sanity", "file": file.path, "is_sane": reason is None}
        yield fact if reason is None else {**fact, "message": reason}
        return
    if len(data) % entry.size:
        yield damage(file.path, f"{len(data)} bytes are no multiple of {entry.size}", size=len(data))
    if not any(data):
        yield {"fact": "empty", "file": file.path}
        return
    yield from _entries(disk, file, data, options)
    offset_at = 0 if file.kind == OFFSET_INDEX else 1
    if (at := zeros_within(data, entry, offset_at)) is not None:
        yield damage(file.path, f"there are bytes behind zeros at byte {at}, which are taken for the end", position=at)


def _entries(disk: Disk, file: DataFile, data: bytes, options: DumpOptions) -> Facts:
    try:
        log = disk.open(file.stem + LOG_SUFFIX + (file.pending or ""))
    except FileNotFoundError:
        log = None
        yield damage(file.path, f"the segment {file.stem + LOG_SUFFIX} is missing")
    try:
        if file.kind == OFFSET_INDEX:
            yield from _offset_entries(file, data, log, options)
        else:
            yield from _time_entries(file, data, log, _offset_index(disk, file), options)
    finally:
        if log is not None:
            log.close()


def insane(data: bytes, entry: struct.Struct, file: DataFile) -> str | None:
    """Why Kafka would not trust the index at its start and make it anew; None if it would."""
    count = len(data) // entry.size
    if count:
        last = entry.unpack_from(data, (count - 1) * entry.size)
        if file.kind != OFFSET_INDEX and last[0] < entry.unpack_from(data)[0]:
            return f"the last timestamp is {last[0]}, less than the first, {entry.unpack_from(data)[0]}"
        relative = last[0] if file.kind == OFFSET_INDEX else last[1]
        if relative < 0:
            return f"the last offset is {file.offset + relative}, less than the base offset {file.offset}"
    if len(data) % entry.size:
        return f"{len(data)} bytes are no multiple of {entry.size}"
    return None


def index_rows(data: bytes, entry: struct.Struct, offset_at: int) -> Iterator[tuple[int, int]]:
    """The entries before the zeros: no entry but the first can have the base offset."""
    for number, row in enumerate(entry.iter_unpack(data[: len(data) // entry.size * entry.size])):
        if number and row[offset_at] == 0:
            return
        yield row[0], row[1]


def zeros_within(data: bytes, entry: struct.Struct, offset_at: int) -> int | None:
    """Where the entries seem to end, in bytes, though something else than zeros follows; None if nothing does."""
    used = len(data.rstrip(b"\0"))
    for number, row in enumerate(entry.iter_unpack(data[: len(data) // entry.size * entry.size])):
        if number and row[offset_at] == 0:
            at = number * entry.size
            return at if at < used else None
    return None


def _offset_entries(file: DataFile, data: bytes, log: File | None, options: DumpOptions) -> Facts:
    size = 0 if log is None else log.size()
    for relative, position in index_rows(data, OFFSET_ENTRY, 0):
        offset = file.offset + relative
        if not options.verify_index_only:
            yield {"fact": "index_entry", "file": file.path, "offset": offset, "position": position}
        if log is None:
            continue
        last_offset = _last_offset(log, position, size)
        if last_offset is None:
            yield damage(file.path, "the entry leads to no batch", offset=offset, position=position)
        elif last_offset != offset:
            yield {"fact": "index_mismatch", "file": file.path, "index_offset": offset, "log_offset": last_offset}


def _last_offset(log: File, position: int, size: int) -> int | None:
    """The last offset of what would be a batch at `position`; None where no batch fits."""
    if position < 0:
        return None
    head = log.pread(_SPAN.size, position)
    if len(head) < _SPAN.size:
        return None
    base_offset, length, magic, delta = _SPAN.unpack(head)
    if length < (HEADER_SIZE - LOG_OVERHEAD if magic >= records.MAGIC else SIZE_MIN):
        return None
    if length > size - position - LOG_OVERHEAD:
        return None
    return int(base_offset + (delta if magic >= records.MAGIC else 0))


def _offset_index(disk: Disk, file: DataFile) -> list[tuple[int, int]]:
    """(offset, position) of the segment's offset index, as far as it rises; for finding places, not for trust."""
    try:
        data = disk.read(file.stem + OFFSET_INDEX_SUFFIX + (file.pending or ""))
    except FileNotFoundError:
        return []
    found: list[tuple[int, int]] = []
    for relative, position in index_rows(data, OFFSET_ENTRY, 0):
        if found and (file.offset + relative, position) <= found[-1]:
            break
        found.append((file.offset + relative, position))
    return found


class _Finder:
    """The first batch that ends with an offset or a higher one, found by the offset index and a few steps."""

    def __init__(self, log: File, index: list[tuple[int, int]]) -> None:
        self._log = log
        self._size = log.size()
        self._index = index
        self._position, self._reached = 0, -1

    def find(self, offset: int) -> tuple[int, int] | None:
        """(position, last offset); None behind the end, or where the log cannot be followed."""
        from bisect import bisect_right

        at = bisect_right(self._index, (offset, 1 << 62))
        position = self._index[at - 1][1] if at else 0
        if self._reached < offset:
            position = max(position, self._position)
        while True:
            last_offset = _last_offset(self._log, position, self._size)
            if last_offset is None:
                return None
            if last_offset >= offset:
                return position, last_offset
            self._position, self._reached = position, last_offset
            position += int.from_bytes(self._log.pread(4, position + records.BATCH_LENGTH_AT), "big") + LOG_OVERHEAD


def _time_entries(
    file: DataFile, data: bytes, log: File | None, index: list[tuple[int, int]], options: DumpOptions
) -> Facts:
    finder = None if log is None else _Finder(log, index)
    previous = NO_TIMESTAMP
    for timestamp, relative in index_rows(data, TIME_ENTRY, 1):
        offset = file.offset + relative
        if not options.verify_index_only:
            yield {"fact": "time_index_entry", "file": file.path, "timestamp": timestamp, "offset": offset}
        if finder is not None and log is not None:
            yield from _check_time(file, timestamp, offset, previous, finder.find(offset), log)
        previous = timestamp


def _check_time(
    file: DataFile, timestamp: int, offset: int, previous: int, found: tuple[int, int] | None, log: File
) -> Facts:
    if found is None or found[1] != offset:
        yield {
            "fact": "time_index_offset_not_found",
            "file": file.path,
            "index_offset": offset,
            "log_offset": -1 if found is None else found[1],
        }
        return
    step = next(iter(walk(log, found[0])))
    if isinstance(step, Unreadable):
        yield damage(file.path, step.error, position=step.position)
        return
    try:
        highest = max((record.timestamp for record in records_of(step.batch)), default=NO_TIMESTAMP)
    except ProtocolError as error:
        yield damage(file.path, str(error), position=step.position)
        return
    if highest != timestamp:
        yield {
            "fact": "time_index_mismatch",
            "file": file.path,
            "index_timestamp": timestamp,
            "log_timestamp": highest,
        }
    if previous >= timestamp:
        yield {
            "fact": "time_index_out_of_order",
            "file": file.path,
            "index_timestamp": timestamp,
            "previous_timestamp": previous,
        }


def txn_index_facts(disk: Disk, file: DataFile, options: DumpOptions) -> Facts:
    """`aborted_txn` of each entry."""
    data = disk.read(file.path)
    if options.progress is not None:
        options.progress(len(data))
    whole = len(data) // _TXN_ENTRY.size * _TXN_ENTRY.size
    for version, low_byte, producer_id, first, last, stable in _TXN_ENTRY.iter_unpack(data[:whole]):
        if version > 0:
            yield damage(file.path, f"an entry of version {version}, known is 0")
            return
        yield {
            "fact": "aborted_txn",
            "file": file.path,
            "version": version,
            "producer_id": producer_id,
            "first_offset": first,
            "last_offset": last,
            "last_stable_offset": stable,
        }
        if version or low_byte:
            yield damage(file.path, f"an entry of version {version << 8 | low_byte}, which Kafka reads as version 0")
    if whole < len(data):
        yield damage(file.path, f"{len(data)} bytes are no multiple of {_TXN_ENTRY.size}", size=len(data))
