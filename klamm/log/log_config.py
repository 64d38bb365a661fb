"""The topic configuration that a log goes by, typed, with the values that the hot path compares ready made.

Names, defaults and meanings are Kafka's topic configs. A `LogConfig` never changes: a live change of the topic's
configuration puts a new one in its place (`PartitionLog.config`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from klamm.kproto import compression

INT64_MAX: Final = (1 << 63) - 1

_TRUE: Final = {"true": True, "false": False}


def _bool(value: object) -> bool:
    return value if isinstance(value, bool) else _TRUE[str(value).strip().lower()]


def _list(value: object) -> frozenset[str]:
    parts = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
    return frozenset(name for name in (str(part).strip() for part in parts) if name)


_FIELDS: Final[dict[str, tuple[str, Callable[[Any], Any], Any]]] = {
    "cleanup.policy": ("cleanup_policy", _list, frozenset(("delete",))),
    "compression.type": ("compression_type", str, "producer"),
    "compression.gzip.level": ("compression_gzip_level", int, -1),
    "compression.lz4.level": ("compression_lz4_level", int, 9),
    "compression.zstd.level": ("compression_zstd_level", int, 3),
    "delete.retention.ms": ("delete_retention_ms", int, 86_400_000),
    "file.delete.delay.ms": ("file_delete_delay_ms", int, 60_000),
    "flush.messages": ("flush_messages", int, INT64_MAX),
    "flush.ms": ("flush_ms", int, INT64_MAX),
    "index.interval.bytes": ("index_interval_bytes", int, 4096),
    "max.compaction.lag.ms": ("max_compaction_lag_ms", int, INT64_MAX),
    "max.message.bytes": ("max_message_bytes", int, 1_048_588),
    "message.timestamp.after.max.ms": ("message_timestamp_after_max_ms", int, 3_600_000),
    "message.timestamp.before.max.ms": ("message_timestamp_before_max_ms", int, INT64_MAX),
    "message.timestamp.type": ("message_timestamp_type", str, "CreateTime"),
    "min.cleanable.dirty.ratio": ("min_cleanable_dirty_ratio", float, 0.5),
    "min.compaction.lag.ms": ("min_compaction_lag_ms", int, 0),
    "preallocate": ("preallocate", _bool, False),
    "retention.bytes": ("retention_bytes", int, -1),
    "retention.ms": ("retention_ms", int, 604_800_000),
    "segment.bytes": ("segment_bytes", int, 1_073_741_824),
    "segment.index.bytes": ("segment_index_bytes", int, 10_485_760),
    "segment.jitter.ms": ("segment_jitter_ms", int, 0),
    "segment.ms": ("segment_ms", int, 604_800_000),
}


class LogConfig:
    """One topic's configuration. Sizes in bytes, times in ms; -1 means no limit where Kafka says so."""

    __slots__ = (
        "after_max_ms",
        "cleanup_policy",
        "compression_gzip_level",
        "compression_lz4_level",
        "compression_type",
        "compression_zstd_level",
        "delete_retention_ms",
        "file_delete_delay_ms",
        "flush_messages",
        "flush_ms",
        "index_interval_bytes",
        "is_compact",
        "is_delete",
        "is_log_append_time",
        "is_plain",
        "max_compaction_lag_ms",
        "max_message_bytes",
        "max_segment_ms",
        "message_timestamp_after_max_ms",
        "message_timestamp_before_max_ms",
        "message_timestamp_type",
        "min_cleanable_dirty_ratio",
        "min_compaction_lag_ms",
        "preallocate",
        "preallocated_bytes",
        "retention_bytes",
        "retention_ms",
        "segment_bytes",
        "segment_index_bytes",
        "segment_jitter_ms",
        "segment_ms",
        "target_codec",
    )

    cleanup_policy: frozenset[str]
    compression_type: str
    compression_gzip_level: int
    compression_lz4_level: int
    compression_zstd_level: int
    delete_retention_ms: int
    file_delete_delay_ms: int
    flush_messages: int
    flush_ms: int
    index_interval_bytes: int
    max_compaction_lag_ms: int
    max_message_bytes: int
    message_timestamp_after_max_ms: int
    message_timestamp_before_max_ms: int
    message_timestamp_type: str
    min_cleanable_dirty_ratio: float
    min_compaction_lag_ms: int
    preallocate: bool
    retention_bytes: int
    retention_ms: int
    segment_bytes: int
    segment_index_bytes: int
    segment_jitter_ms: int
    segment_ms: int

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        """`values`: topic config names to their values, as text or typed. Names that no log goes by are ignored.

        Raises ValueError for a value that is not of the config's type; ranges are checked where configs are set.
        """
        values = values or {}
        for name, (attribute, parse, default) in _FIELDS.items():
            value = values.get(name)
            try:
                setattr(self, attribute, default if value is None else parse(value))
            except (KeyError, TypeError, ValueError):
                raise ValueError(f"{name}: {value!r} is not a value of this config") from None
        segment_bytes = values.get("internal.segment.bytes")
        if segment_bytes is not None:
            self.segment_bytes = int(segment_bytes)
        self.is_compact = "compact" in self.cleanup_policy
        self.is_delete = "delete" in self.cleanup_policy
        self.max_segment_ms = self.segment_ms
        """When a segment is rolled at the latest: in time for `max.compaction.lag.ms` too."""
        if self.is_compact and self.max_compaction_lag_ms > 0:
            self.max_segment_ms = min(self.segment_ms, self.max_compaction_lag_ms)
        self.is_log_append_time = self.message_timestamp_type == "LogAppendTime"
        self.target_codec: int | None = _target_codec(self.compression_type)
        """The codec that batches are stored with; None: the producer's."""
        self.preallocated_bytes = self.segment_bytes if self.preallocate else 0
        """The size with which the file of a new segment begins."""
        self.after_max_ms = self.message_timestamp_after_max_ms
        self.is_plain = (
            not self.is_compact
            and not self.is_log_append_time
            and self.target_codec is None
            and self.message_timestamp_before_max_ms == INT64_MAX
        )
        """Whether a sound batch is stored as it came, so that nobody has to look at its records."""

    def compression_level(self, codec: int) -> int | None:
        """The configured level of a codec, None where it has none or its own default is asked for."""
        if codec == compression.GZIP:
            return None if self.compression_gzip_level == -1 else self.compression_gzip_level
        if codec == compression.LZ4:
            return self.compression_lz4_level
        if codec == compression.ZSTD:
            return self.compression_zstd_level
        return None


def _target_codec(compression_type: str) -> int | None:
    if compression_type == "producer":
        return None
    if compression_type == "uncompressed":
        return compression.NONE
    return compression.codec_id(compression_type)
