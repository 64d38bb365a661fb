"""What one compaction pass over one log is to do, and which log needs it most: Kafka's rules, as plain values.

Read from a log on the event loop; the pass itself runs elsewhere and has only this. The dirty part begins at the
cleaner's checkpoint and ends before the first segment that may not be cleaned: the active one, the one that holds the
last stable offset, and those whose records are younger than `min.compaction.lag.ms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.log.cleaner.batch_cleaner import LastRecord

if TYPE_CHECKING:
    from klamm.log.partition_log import PartitionLog
    from klamm.log.txn_index import AbortedTxn

_INT32_MAX: Final = (1 << 31) - 1


class CleanerSettings(NamedTuple):
    """The broker settings `log.cleaner.*` that are not defaults of topic configs."""

    is_enabled: bool = True
    threads: int = 1
    dedupe_buffer_bytes: int = 134_217_728
    load_factor: float = 0.9
    io_buffer_bytes: int = 524_288
    io_bytes_per_second_max: float = float("inf")
    backoff_ms: int = 15_000

    @property
    def map_bytes(self) -> int:
        """The memory of one thread's map; Kafka's are arrays, which have at most 2 GiB."""
        return min(self.dedupe_buffer_bytes // self.threads, _INT32_MAX)

    @property
    def chunk_bytes(self) -> int:
        """How much one thread reads at a time."""
        return max(self.io_buffer_bytes // self.threads // 2, 4096)


class CleaningStats:
    """What a pass did. Sizes in bytes, times in ms of the monotonic clock."""

    __slots__ = (
        "buffer_utilization",
        "bytes_read",
        "bytes_written",
        "ended_ms",
        "invalid_messages",
        "map_bytes_read",
        "map_ended_ms",
        "map_messages_read",
        "messages_read",
        "messages_written",
        "started_ms",
    )

    def __init__(self, started_ms: float = 0.0) -> None:
        self.started_ms = self.map_ended_ms = self.ended_ms = started_ms
        self.bytes_read = self.bytes_written = self.map_bytes_read = 0
        self.messages_read = self.messages_written = self.map_messages_read = 0
        self.invalid_messages = 0
        """Records without a key, which a compacted log cannot keep."""
        self.buffer_utilization = 0.0

    @property
    def elapsed_ms(self) -> float:
        return self.ended_ms - self.started_ms


class PlannedSegment(NamedTuple):
    """A segment as it was when the pass was planned."""

    base_offset: int
    size: int


class CleaningPlan(NamedTuple):
    """One pass over one log. `segments` are all that may be cleaned, from the first of the log; times in ms."""

    directory: str
    segments: list[PlannedSegment]
    first_dirty_offset: int
    upper_bound_offset: int
    """The base offset of the first segment that is not cleaned."""
    aborted: list[AbortedTxn]
    producers: dict[int, LastRecord]
    segment_bytes: int
    segment_index_bytes: int
    index_interval_bytes: int
    delete_retention_ms: int
    now_ms: int


class Dirtiness(NamedTuple):
    """How much of a log is dirty and how urgent that is."""

    first_dirty_offset: int
    upper_bound_offset: int
    clean_bytes: int
    cleanable_bytes: int
    delay_ms: int
    """How long `max.compaction.lag.ms` has been exceeded; 0: it has not."""

    @property
    def ratio(self) -> float:
        return self.cleanable_bytes / (self.clean_bytes + self.cleanable_bytes)


def dirtiness(log: PartitionLog, checkpoint: int | None, now_ms: int) -> Dirtiness | None:
    """How dirty a log is that was cleaned up to `checkpoint` (None: never); None for one without cleanable bytes."""
    first_dirty = log.log_start_offset if checkpoint is None else checkpoint
    if not log.log_start_offset <= first_dirty <= log.log_end_offset:
        first_dirty = log.log_start_offset
    config, segments, active = log.config, list(log.segments), log.active_segment
    first_index = segments.index(log.segments.floor(first_dirty))
    dirty = segments[first_index:-1]
    uncleanable = min(log.last_stable_offset, active.base_offset)
    if config.min_compaction_lag_ms > 0:
        youngest = now_ms - config.min_compaction_lag_ms
        for segment in dirty:
            if segment.largest_timestamp > youngest:
                uncleanable = min(uncleanable, segment.base_offset)
                break
    upper_bound = log.segments.floor(max(first_dirty, uncleanable)).base_offset
    clean_bytes = sum(segment.size for segment in segments if segment.base_offset < first_dirty)
    from_offset = log.segments.floor(min(first_dirty, upper_bound)).base_offset
    cleanable_bytes = sum(segment.size for segment in segments if from_offset <= segment.base_offset < upper_bound)
    if clean_bytes + cleanable_bytes == 0:
        return None
    clean_until = now_ms - max(config.max_compaction_lag_ms, 0)
    delay_ms = 0
    if clean_until > 0:
        oldest = min([s.first_timestamp for s in dirty if s.first_timestamp > 0], default=clean_until)
        delay_ms = max(clean_until - oldest, 0)
    return Dirtiness(first_dirty, upper_bound, clean_bytes, cleanable_bytes, delay_ms)


def is_due(log: PartitionLog, dirt: Dirtiness) -> bool:
    """Whether a log is to be cleaned: dirty enough, or dirty for too long."""
    return (dirt.delay_ms > 0 and dirt.cleanable_bytes > 0) or dirt.ratio > log.config.min_cleanable_dirty_ratio


def plan(log: PartitionLog, dirt: Dirtiness, now_ms: int) -> CleaningPlan:
    """The pass over a log. Raises OSError, CorruptIndex."""
    segments = [segment for segment in log.segments if segment.base_offset < dirt.upper_bound_offset]
    aborted = [txn for segment in log.segments for txn in segment.txn_index.entries]
    producers = {
        producer_id: LastRecord(entry.last_offset if entry.last_offset >= 0 else None, entry.producer_epoch)
        for producer_id, entry in log.producers.producers.items()
    }
    config = log.config
    return CleaningPlan(
        directory=log.directory,
        segments=[PlannedSegment(segment.base_offset, segment.size) for segment in segments],
        first_dirty_offset=dirt.first_dirty_offset,
        upper_bound_offset=dirt.upper_bound_offset,
        aborted=aborted,
        producers=producers,
        segment_bytes=config.segment_bytes,
        segment_index_bytes=config.segment_index_bytes,
        index_interval_bytes=config.index_interval_bytes,
        delete_retention_ms=config.delete_retention_ms,
        now_ms=now_ms,
    )


def grouped(
    segments: list[PlannedSegment], index_bytes: list[tuple[int, int]], planned: CleaningPlan
) -> list[list[PlannedSegment]]:
    """Neighbours that become one segment: as many as fit `segment.bytes`, `segment.index.bytes` and the offset range.

    `index_bytes`: the sizes of each segment's offset and time index.
    """
    groups: list[list[PlannedSegment]] = []
    total = offsets = times = 0
    for n, segment in enumerate(segments):
        offset_bytes, time_bytes = index_bytes[n]
        if groups:
            after = segments[n + 1].base_offset if n + 1 < len(segments) else planned.upper_bound_offset
            if (
                total + segment.size <= planned.segment_bytes
                and offsets + offset_bytes <= planned.segment_index_bytes
                and times + time_bytes <= planned.segment_index_bytes
                and (segment.size == 0 or after - 1 - groups[-1][0].base_offset <= _INT32_MAX)
            ):
                groups[-1].append(segment)
                total, offsets, times = total + segment.size, offsets + offset_bytes, times + time_bytes
                continue
        groups.append([segment])
        total, offsets, times = segment.size, offset_bytes, time_bytes
    return groups
