"""What the log cleaner tells of itself, by the names of Kafka's metrics, and its line in the log after each pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from klamm.log.cleaner.plan import CleaningStats

_MB: Final = 1 << 20


class CleanerMetrics:
    """Counts since the start and figures of the last pass. Sizes in bytes; in percent what Kafka gives in percent."""

    __slots__ = (
        "bytes_read",
        "bytes_written",
        "clean_time_secs",
        "cleaner_recopy_percent",
        "dead_thread_count",
        "last_run_ms",
        "max_buffer_utilization_percent",
        "max_clean_time_secs",
        "max_compaction_delay_secs",
        "max_dirty_percent",
        "runs",
        "uncleanable_bytes",
        "uncleanable_partitions_count",
    )

    def __init__(self) -> None:
        self.runs = self.bytes_read = self.bytes_written = 0
        self.clean_time_secs = 0.0
        self.dead_thread_count = 0
        self.last_run_ms = 0
        """When a cleaner last looked for work, ms since 1970."""
        self.max_buffer_utilization_percent = 0
        self.max_clean_time_secs = 0.0
        self.max_compaction_delay_secs = 0
        self.max_dirty_percent = 0
        self.cleaner_recopy_percent = 0
        self.uncleanable_bytes: dict[str, int] = {}
        """By log directory, as `uncleanable_partitions_count`."""
        self.uncleanable_partitions_count: dict[str, int] = {}

    def ran(self, stats: CleaningStats) -> None:
        """A pass has come to its end."""
        self.runs += 1
        self.bytes_read += stats.bytes_read
        self.bytes_written += stats.bytes_written
        self.max_buffer_utilization_percent = int(100 * stats.buffer_utilization)
        self.clean_time_secs += stats.elapsed_ms / 1000
        self.max_clean_time_secs = stats.elapsed_ms / 1000
        self.cleaner_recopy_percent = int(100 * stats.bytes_written / max(stats.bytes_read, 1))


def describe(name: str, first_offset: int, end_offset: int, segments: int, stats: CleaningStats) -> str:
    """One line: what was cleaned, how long it took and what is left. `segments` are those that there are now."""
    seconds = max(stats.elapsed_ms, 1) / 1000
    map_seconds = (stats.map_ended_ms - stats.started_ms) / 1000
    return (
        f"{name}: offsets {first_offset} to {end_offset} cleaned in {seconds:.2f} s"
        f" ({stats.bytes_read / _MB / seconds:.1f} MB/s; {map_seconds:.2f} s for the map,"
        f" {stats.map_bytes_read / _MB:.1f} MB, {100 * stats.buffer_utilization:.1f} % full):"
        f" {stats.bytes_read / _MB:.1f} MB and {stats.messages_read} records became"
        f" {stats.bytes_written / _MB:.1f} MB and {stats.messages_written} records in {segments} segments"
        + (f", {stats.invalid_messages} records had no key" if stats.invalid_messages else "")
    )
