"""The batches of a file, one after another, whatever their state: the walk that all tools share.

Reads a window at a time and holds one batch, so that memory does not grow with the file. Nothing is raised for
damage: a batch says whether its CRC holds, and a walk that cannot go on says where and why. The limits are those of
Kafka's reader, so that both stop at the same byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import records
from klamm.kproto.records import HEADER, HEADER_SIZE, LOG_OVERHEAD, MAGIC, MAGIC_AT, Batch, CorruptBatch, Record

if TYPE_CHECKING:
    from klamm.log.disk import File

_INT32: Final = struct.Struct(">i")
_WINDOW_BYTES: Final = 1 << 20
_FRAME_BYTES: Final = MAGIC_AT + 1
"""What Kafka's reader wants to see before it takes a batch's size."""
SIZE_MIN: Final = 14
"""The smallest value of the size field that Kafka's reader takes."""


class BatchAt(NamedTuple):
    """A batch and where it begins. `error`: what is wrong with its frame or CRC; None when it is sound."""

    position: int
    batch: Batch
    error: str | None

    @property
    def end(self) -> int:
        """The position behind the batch."""
        return self.position + self.batch.size_bytes


class Unreadable(NamedTuple):
    """The rest of a file, in which no batch is found. `is_torn`: a batch begins there and the file ends within it."""

    position: int
    size_bytes: int
    error: str
    is_torn: bool


def walk(
    file: File, position: int = 0, end: int | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[BatchAt | Unreadable]:
    """The batches from `position`, a boundary, to `end` (None: the end of the file); at most one Unreadable, last.

    Without `end`, a file that grows while it is read is read to its new end. `progress` is told the bytes walked.
    """
    size = file.size() if end is None else min(end, file.size())
    window, start = memoryview(b""), position
    while size > position:
        at = position - start
        if len(window) - at < HEADER_SIZE and start + len(window) < size:
            window, start, at = memoryview(file.pread(min(_WINDOW_BYTES, size - position), position)), position, 0
        found = _frame(window[at:], size - position)
        if isinstance(found, str):
            if end is None and (grown := file.size()) > size:
                size, window, start = grown, memoryview(b""), position  # an append was under way
                continue
            yield Unreadable(position, size - position, found, found.startswith(_TORN))
            return
        if len(window) - at < found:
            window, start, at = (
                memoryview(file.pread(max(found, min(_WINDOW_BYTES, size - position)), position)),
                position,
                0,
            )
            if len(window) < found:
                yield Unreadable(position, size - position, f"{_TORN}: the file was cut while it was read", True)
                return
        one = _batch(position, window[at : at + found])
        if one is None:
            yield Unreadable(position, size - position, f"a batch of {found} bytes is smaller than its header", False)
            return
        yield one
        position += found
        if progress is not None:
            progress(found)


_TORN: Final = "the file ends within a batch"


def _frame(window: memoryview, left: int) -> int | str:
    """The size of the batch that begins here, of `left` bytes; or why there is none."""
    if left < _FRAME_BYTES or len(window) < _FRAME_BYTES:
        return f"{_TORN}: {left} bytes are left"
    size: int = _INT32.unpack_from(window, records.BATCH_LENGTH_AT)[0]
    if size < SIZE_MIN:
        return f"the size of the next batch is {size}, less than the least possible, {SIZE_MIN}"
    if size + LOG_OVERHEAD > left:
        return f"{_TORN}: it has {size + LOG_OVERHEAD} bytes, {left} are left"
    return size + LOG_OVERHEAD


def _batch(position: int, view: memoryview) -> BatchAt | None:
    if view[MAGIC_AT] < MAGIC:
        from klamm.kproto import legacy_records

        try:
            return BatchAt(position, legacy_records.validate_batch(view), None)
        except CorruptBatch as error:
            return BatchAt(position, legacy_records.read_batch(view), error.message)
    if len(view) < HEADER_SIZE:
        return None
    batch: Batch = tuple.__new__(Batch, (*HEADER.unpack_from(view), view))
    try:
        records.validate_batch(view)
    except CorruptBatch as error:
        return BatchAt(position, batch, error.message)
    return BatchAt(position, batch, None)


def records_of(batch: Batch) -> Iterator[Record]:
    """The records of a batch; as Kafka's reader takes it, a version above 2 is read as 2.

    Raises InvalidRecord, CompressionError.
    """
    return records.iter_records(batch if batch.magic <= MAGIC else batch._replace(magic=MAGIC))


def find_batch(file: File, position: int, end: int, offset_min: int, offset_max: int) -> int | None:
    """The first position from `position` on where a sound batch of version 2 begins, with a base offset in the range.

    For going on behind damage. A CRC and a fitting offset make a false find practically impossible.
    """
    while position + HEADER_SIZE <= end:
        window = file.pread(min(_WINDOW_BYTES, end - position), position)
        at = window.find(MAGIC, MAGIC_AT)
        while at >= 0 and at - MAGIC_AT + HEADER_SIZE <= len(window):
            begin = at - MAGIC_AT
            base_offset, size = struct.unpack_from(">qi", window, begin)
            whole = size + LOG_OVERHEAD
            if (
                offset_min <= base_offset <= offset_max
                and HEADER_SIZE <= whole <= end - position - begin
                and _batch_is_sound(file, position + begin, whole)
            ):
                return position + begin
            at = window.find(MAGIC, at + 1)
        if position + len(window) >= end or len(window) < HEADER_SIZE:
            return None
        position += len(window) - HEADER_SIZE + 1
    return None


def _batch_is_sound(file: File, position: int, size: int) -> bool:
    try:
        records.validate_batch(file.pread(size, position))
    except CorruptBatch:
        return False
    return True
