"""One compaction pass: the map of the dirty part's keys, then every segment filtered into new ones.

Runs off the event loop and knows only its plan and the disk; `checkpoint` is called between chunks and may raise to
end the pass, or sleep to slow it down. Each step gives one cleaned segment, to be put in the place of its group before
the next begins.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import records
from klamm.kproto.records import (
    CONTROL,
    CONTROL_ABORT,
    CONTROL_COMMIT,
    HEADER,
    HEADER_SIZE,
    LOG_OVERHEAD,
    MAGIC,
    MAGIC_AT,
    TRANSACTIONAL,
    CorruptBatch,
)
from klamm.log.cleaner.batch_cleaner import BatchCleaner, batch_size, check_crc, end_marker, record_bytes
from klamm.log.cleaner.cleaned_segment import CleanedSegment
from klamm.log.cleaner.offset_map import OffsetMap, map_key
from klamm.log.cleaner.plan import CleaningPlan, CleaningStats, PlannedSegment, grouped
from klamm.log.cleaner.record_filter import iter_keys, put_keys
from klamm.log.cleaner.txns import CleanedTransactions
from klamm.log.segment import LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, file_stem

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.segment import BatchHeader


class ChildEnded(Exception):
    """The process that made a pass has gone in the middle of it."""


class CleanedGroup(NamedTuple):
    """A cleaned segment that is on the disk under `.cleaned` names.

    `replaced` are the segments that it stands for, `suffixes` those of its files.
    """

    base_offset: int
    size: int
    replaced: list[PlannedSegment]
    suffixes: list[str]


class Pass:
    """One pass. `groups` does the work, step by step; then `end_offset` is where the next one begins."""

    def __init__(
        self,
        disk: Disk,
        plan: CleaningPlan,
        offset_map: OffsetMap,
        *,
        chunk_bytes: int,
        checkpoint: Callable[[int], None],
        now_ms: Callable[[], float],
    ) -> None:
        """`checkpoint(bytes)` is told of every read and write; `now_ms` is a monotonic clock, for the stats."""
        self._disk = disk
        self._plan = plan
        self._map = offset_map
        self._chunk_bytes = chunk_bytes
        self._checkpoint = checkpoint
        self._now_ms = now_ms
        self.stats = CleaningStats(now_ms())
        self.end_offset = plan.first_dirty_offset

    def groups(self) -> Generator[CleanedGroup, None, None]:
        """Clean group by group. Raises OSError, ProtocolError and CleanedTooLarge for a log that cannot be cleaned."""
        plan, stats = self._plan, self.stats
        self._map.clear()
        try:
            self._build_map()
            stats.map_ended_ms = self._now_ms()
            stats.buffer_utilization = self._map.utilization
            self.end_offset = self._map.latest_offset + 1
            segments = [segment for segment in plan.segments if segment.base_offset < self.end_offset]
            cleaner = BatchCleaner(
                self._map,
                CleanedTransactions(plan.aborted),
                plan.producers,
                first_dirty_offset=plan.first_dirty_offset,
                upper_bound_offset=plan.upper_bound_offset,
                delete_retention_ms=plan.delete_retention_ms,
                now_ms=plan.now_ms,
                stats=stats,
            )
            legacy_horizon_ms = self._legacy_horizon_ms()
            for group in grouped(segments, [self._index_bytes(segment) for segment in segments], plan):
                yield self._clean_group(cleaner, group, legacy_horizon_ms)
        except (IndexError, ValueError) as error:
            raise CorruptBatch(f"records that cannot be read: {error}") from error
        finally:
            self._map.clear()
            stats.ended_ms = self._now_ms()

    def _stem(self, segment: PlannedSegment) -> str:
        return f"{self._plan.directory}/{file_stem(segment.base_offset)}"

    def _index_bytes(self, segment: PlannedSegment) -> tuple[int, int]:
        stem = self._stem(segment)
        sizes = []
        for suffix in (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX):
            try:
                sizes.append(self._disk.size(stem + suffix))
            except FileNotFoundError:  # an index that is made anew when it is needed
                sizes.append(0)
        return sizes[0], sizes[1]

    def _modified_ms(self, segment: PlannedSegment) -> int:
        return self._disk.modified_ms(self._stem(segment) + LOG_SUFFIX)

    def _legacy_horizon_ms(self) -> int:
        """Segments that changed up to then may lose tombstones of formats 0 and 1."""
        clean = [segment for segment in self._plan.segments if segment.base_offset < self._plan.first_dirty_offset]
        return self._modified_ms(clean[-1]) - self._plan.delete_retention_ms if clean else 0

    def _read(self, segment: PlannedSegment, use: Callable[[bytes], int], position: int = 0) -> None:
        """Have `use(bytes)` take a segment's batches, as many bytes at a time as it says that it has used."""
        file = self._disk.open(self._stem(segment) + LOG_SUFFIX)
        try:
            while position < segment.size:
                data = file.pread(min(self._chunk_bytes, segment.size - position), position)
                self._checkpoint(len(data))
                used = use(data)
                if not used:
                    size = batch_size(data, 0)
                    if not len(data) < size <= segment.size - position:
                        raise CorruptBatch(f"a batch of {size} bytes at {position} of {segment.size} in {file.path}")
                    data = file.pread(size, position)
                    self._checkpoint(size)
                    used = use(data)
                if not used:
                    raise CorruptBatch(f"{file.path} ends within the batch at {position}")
                position += used
        finally:
            file.close()

    # -- the map --

    def _build_map(self) -> None:
        plan = self._plan
        dirty = [segment for segment in plan.segments if segment.base_offset < plan.upper_bound_offset]
        later = [segment.base_offset for segment in dirty[1:]] + [plan.upper_bound_offset]
        pairs = [pair for pair in zip(dirty, later, strict=True) if pair[1] > plan.first_dirty_offset]
        # A transaction whose marker is not among what is read would never end.
        begin = pairs[0][0].base_offset if pairs else 0
        transactions = CleanedTransactions([txn for txn in plan.aborted if txn.last_offset >= begin])
        for segment, end_offset in pairs:
            mapper = _Mapper(self._map, plan.first_dirty_offset, transactions, self.stats)
            try:
                self._read(segment, mapper.use)
            except _Full:
                return
            # Where offsets are missing at the end of a segment, nothing is missing from the map.
            self._map.latest_offset = end_offset - 1

    # -- the cleaned segments --

    def _clean_group(self, cleaner: BatchCleaner, group: list[PlannedSegment], legacy_horizon_ms: int) -> CleanedGroup:
        plan = self._plan
        cleaner.transactions.retained = []
        cleaned = CleanedSegment(self._disk, plan.directory, group[0].base_offset, plan.index_interval_bytes)
        try:
            modified_ms = 0
            for segment in group:
                modified_ms = self._modified_ms(segment)
                cleaner.keeps_legacy_tombstones = modified_ms > legacy_horizon_ms

                def use(data: bytes) -> int:
                    before = cleaned.size
                    used = cleaner.clean_chunk(data, cleaned)
                    self._checkpoint(cleaned.size - before)
                    return used

                self._read(segment, use)
            suffixes = cleaned.finish(cleaner.transactions.retained, modified_ms)
        except BaseException:
            cleaned.remove()
            raise
        return CleanedGroup(cleaned.base_offset, cleaned.size, group, suffixes)


_IN_TRANSACTION: Final = CONTROL | TRANSACTIONAL


class _Full(Exception):
    """The map has no room for the next key."""


class _Mapper:
    """Puts the keys of a segment's batches into the map."""

    def __init__(
        self, offset_map: OffsetMap, start_offset: int, transactions: CleanedTransactions, stats: CleaningStats
    ) -> None:
        self._map = offset_map
        self._start_offset = start_offset
        self._transactions = transactions
        self._stats = stats

    def use(self, data: bytes) -> int:
        """Take the whole batches in `data`. Raises _Full; then `latest_offset` is what the map does know."""
        position, end = 0, len(data)
        unpack, stats, offset_map, start_offset = HEADER.unpack_from, self._stats, self._map, self._start_offset
        room = offset_map.room
        while True:
            if end - position < HEADER_SIZE or data[position + MAGIC_AT] != MAGIC:
                size = batch_size(data, position)
                if not size or position + size > end:
                    return position
                self._put_legacy(data, position, size)
                room = offset_map.room
            else:
                header = unpack(data, position)
                size = header[1] + LOG_OVERHEAD
                if size < HEADER_SIZE:
                    batch_size(data, position)  # which refuses it
                if position + size > end:
                    return position
                last_offset, count = header[0] + header[6], header[12]
                passed_over = header[5] & _IN_TRANSACTION and self._follow(data, position, header, last_offset)
                if last_offset >= start_offset:
                    if count and not passed_over:
                        check_crc(data, position, header)
                        body, first, after = record_bytes(data, position, header)
                        if header[0] >= start_offset and room >= count:
                            put_keys(body, first, after, count, header[0], offset_map.offsets)
                            room -= count
                        elif header[0] >= start_offset and len(offset_map) + count <= offset_map.capacity:
                            found: dict[bytes, int] = {}
                            put_keys(body, first, after, count, header[0], found)
                            offset_map.put_all(found)
                            room = offset_map.room
                        else:
                            for delta, key in iter_keys(body, first, after, count):
                                self._put_one(key, header[0] + delta)
                            room = offset_map.room
                    offset_map.latest_offset = last_offset
                stats.map_messages_read += count
            position += size
            stats.map_bytes_read += size

    def _follow(self, data: bytes, position: int, header: BatchHeader, last_offset: int) -> bool:
        """Take what a batch tells of its transaction: whether its records are to be passed over."""
        if header[5] & CONTROL:
            kind = end_marker(data, position, header)
            if kind == CONTROL_ABORT:
                self._transactions.end_abort(header[9], last_offset)
            elif kind == CONTROL_COMMIT:
                self._transactions.end_commit(header[9], last_offset)
            return True
        return self._transactions.is_aborted(header[9], last_offset)

    def _put_one(self, key: bytes | None, offset: int) -> None:
        if key is not None and offset >= self._start_offset:
            if not self._map.put(key, offset):
                raise _Full
            self._map.latest_offset = offset

    def _put_legacy(self, data: bytes, position: int, size: int) -> None:
        with memoryview(data) as view:
            batch = records.validate_batch(view[position : position + size])
            found = list(records.iter_records(batch))
        for record in found:
            self._put_one(None if record.key is None else map_key(record.key), record.offset)
        self._stats.map_messages_read += len(found)
        if batch.last_offset >= self._start_offset:
            self._map.latest_offset = batch.last_offset
