"""One pass over a segment: frames, checksums, order, offsets, on request every record; its indexes go along.

Behind damage the pass goes on with the next sound batch, so that everything wrong in a file is told at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import records
from klamm.kproto.errors import ProtocolError
from klamm.log.dump.batch_walk import BatchAt, Unreadable, find_batch, walk
from klamm.log.segment import LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, file_stem
from klamm.log.verify.findings import ERROR, INFO, WARNING, Damage, Finding, Report
from klamm.log.verify.index_check import OffsetIndexCheck, TimeIndexCheck

if TYPE_CHECKING:
    from klamm.kproto.records import Batch
    from klamm.log.disk import Disk, File

OFFSET_MAX: Final = (1 << 63) - 1
_SPAN_MAX: Final = (1 << 31) - 1
_PIECE_BYTES: Final = 1 << 20


class Segment(NamedTuple):
    """What is to be known of a segment before it is read."""

    directory: str
    base_offset: int
    next_base_offset: int
    """Where the next segment begins; OFFSET_MAX for the last one."""
    is_reread: bool
    """Whether the next start reads it anew, and so finds the damage: unclean, and not below the recovery point."""
    is_clean: bool
    is_running: bool
    """Whether a broker has the directory in use."""
    is_deep: bool

    @property
    def is_active(self) -> bool:
        return self.next_base_offset == OFFSET_MAX

    @property
    def is_index_pending(self) -> bool:
        """Whether its indexes may still be on their way: a roll has them written behind the broker's back."""
        return not self.is_clean and (self.is_active or (self.is_running and self.is_reread))

    def path(self, suffix: str = LOG_SUFFIX) -> str:
        return f"{self.directory}/{file_stem(self.base_offset)}{suffix}"


class SegmentChecked(NamedTuple):
    """What the pass has found: the offset behind the last batch, damage, and whether the indexes are wrong."""

    next_offset: int
    damages: list[Damage]
    is_index_wrong: bool


def check_segment(
    disk: Disk,
    segment: Segment,
    expected: int,
    report: Report,
    on_batch: Callable[[BatchAt], None],
    progress: Callable[[int], None] | None = None,
) -> SegmentChecked:
    """`expected`: the offset behind the segments before. `on_batch` gets each sound batch and where it is.

    Raises OSError.
    """
    path = segment.path()
    indexes = (
        OffsetIndexCheck(disk, segment.path(OFFSET_INDEX_SUFFIX), segment.base_offset, report),
        TimeIndexCheck(disk, segment.path(TIME_INDEX_SUFFIX), segment.base_offset, report),
    )
    damages: list[Damage] = []
    expected = max(expected, segment.base_offset)
    file = disk.open(path)
    try:
        position: int | None = 0
        while position is not None:
            start, position = position, None
            for step in walk(file, start, None, progress):
                reason = _reason(step, segment, expected) or _odd_offset(file, step, segment, expected)
                if reason is None and isinstance(step, BatchAt):
                    for index in indexes:
                        index.on_batch(step.position, step.batch)
                    on_batch(step)
                    expected = step.batch.next_offset
                    continue
                code, why = reason or ("", "")
                damage = _damage(file, segment, step, expected, why)
                if segment.is_active and damage.is_tail and code != "torn_batch" and _is_preallocated(file, damage):
                    text = f"{damage.end - damage.position} zeros behind the last batch, as `preallocate` makes them"
                    report(Finding(INFO, "preallocated", path, text, "cut off", position=damage.position))
                    break
                damages.append(damage)
                report(_finding(segment, damage, code, file.size()))
                if not damage.is_tail:
                    position = damage.end
                break
        size = file.size()
    finally:
        file.close()
    for index in indexes:
        index.finish(segment.is_index_pending, segment.is_clean, size)
    return SegmentChecked(expected, damages, any(index.is_wrong for index in indexes))


def _reason(step: BatchAt | Unreadable, segment: Segment, expected: int) -> tuple[str, str] | None:
    """(code, words) of what is wrong with a batch; None for a sound one in its place."""
    if isinstance(step, Unreadable):
        return ("torn_batch" if step.is_torn else "unreadable", step.error)
    batch = step.batch
    if step.error is not None:
        return "corrupt_batch", step.error
    if batch.base_offset < expected or batch.last_offset < batch.base_offset:
        place = f"offsets {batch.base_offset} to {batch.last_offset} where {expected} or a later one must follow"
        return "offset_out_of_order", place
    if batch.last_offset >= segment.next_base_offset:
        return "overlap", f"offset {batch.last_offset}, but the next segment begins with {segment.next_base_offset}"
    if batch.last_offset - segment.base_offset > _SPAN_MAX:
        return "offset_overflow", f"offset {batch.last_offset} is too far from the segment's base offset"
    if segment.is_deep and (why := unreadable_records(batch)) is not None:
        return "unreadable_records", why
    return None


def _odd_offset(file: File, step: BatchAt | Unreadable, segment: Segment, expected: int) -> tuple[str, str] | None:
    """A gap before a batch, while the next one goes on where there was none: its base offset is wrong.

    The checksum does not cover that field; taken as it stands, all that follows would be out of order.
    """
    if not isinstance(step, BatchAt) or step.batch.base_offset == expected:
        return None
    following = next(iter(walk(file, step.end)), None)
    if not isinstance(following, BatchAt) or following.error is not None:
        return None
    count = step.batch.last_offset_delta + 1
    if expected + count <= following.batch.base_offset < step.batch.next_offset:
        place = f"offset {step.batch.base_offset} between {expected} and {following.batch.base_offset}"
        return "offset_out_of_order", f"{place}: the base offset is wrong, which no checksum covers"
    return None


def unreadable_records(batch: Batch) -> str | None:
    """Why the records of a batch with a right CRC cannot be read or contradict its header; None if they can."""
    last, highest, count = batch.base_offset - 1, records.NO_TIMESTAMP, 0
    try:
        for record in records.iter_records(batch):
            if not last < record.offset <= batch.last_offset:
                return f"record {record.offset} in a batch of offsets {batch.base_offset} to {batch.last_offset}"
            last, count = record.offset, count + 1
            highest = max(highest, record.timestamp)
            if batch.is_control and batch.magic == records.MAGIC:
                records.control_type(record.key)
    except ProtocolError as error:
        return str(error)
    if batch.magic == records.MAGIC and count != batch.count:
        return f"{count} records where the header says {batch.count}"
    return None


def _damage(file: File, segment: Segment, step: BatchAt | Unreadable, expected: int, reason: str) -> Damage:
    """Where the damage ends: with the batch if what follows it is sound, else with the next sound batch."""
    size = file.size()
    if isinstance(step, BatchAt) and _is_followed_well(file, step, expected, segment):
        end: int | None = step.end
    else:
        end = find_batch(file, step.position + 1, size, expected, segment.next_base_offset - 1)
    is_tail = end is None or end >= size
    return Damage(segment.path(), step.position, size if end is None else end, expected, is_tail, reason)


def _is_followed_well(file: File, step: BatchAt, expected: int, segment: Segment) -> bool:
    following = next(iter(walk(file, step.end)), None)
    if following is None:
        return True
    return (
        isinstance(following, BatchAt)
        and following.error is None
        and expected <= following.batch.base_offset < segment.next_base_offset
    )


def _finding(segment: Segment, damage: Damage, code: str, size: int) -> Finding:
    severity, message = ERROR, damage.reason
    if not damage.is_tail:
        message += f"; sound batches follow from {damage.end} on"
    if code == "offset_overflow":
        severity, recovery = WARNING, "the segment is split here"
    elif segment.is_reread and damage.is_tail and segment.is_active:
        severity, recovery = WARNING, f"the log is cut here: {size - damage.position} bytes that are no whole batch go"
    elif segment.is_reread:
        recovery = f"the log is cut here: {size - damage.position} bytes and all later segments are lost"
    elif damage.is_tail and segment.is_active:
        recovery = "klamm cuts it off, Kafka leaves it and appends behind it"
    else:
        recovery = "none, the start does not read this part: clients that come here get CORRUPT_MESSAGE, and stop"
    return Finding(severity, code, damage.path, message, recovery, damage.offset, damage.position)


def _is_preallocated(file: File, damage: Damage) -> bool:
    """Whether nothing but zeros stands there: `preallocate` makes a segment as long as it may become."""
    position = damage.position
    while position < damage.end:
        data = file.pread(_PIECE_BYTES, position)
        if any(data):
            return False
        position += len(data) or damage.end
    return True
