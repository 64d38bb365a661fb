"""What the broker keys of `tables/broker_log.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

LOG_DOCS: Final[dict[str, str]] = {
    "cordoned.log.dirs": "Log directories that get no new partitions; * stands for all.",
    "log.cleaner.backoff.ms": "How long a cleaner rests when no log needs compacting.",
    "log.cleaner.dedupe.buffer.size": "Memory for the maps of keys, shared by all cleaner threads.",
    "log.cleaner.delete.retention.ms": "How long the tombstones of compacted topics remain readable.",
    "log.cleaner.enable": "Whether the compaction of logs runs at all.",
    "log.cleaner.io.buffer.load.factor": "How full a cleaner's map of keys may get, as a fraction.",
    "log.cleaner.io.buffer.size": "Memory for the cleaners' read and write buffers, shared by all threads.",
    "log.cleaner.io.max.bytes.per.second": "Bytes that all cleaners together may read and write a second.",
    "log.cleaner.max.compaction.lag.ms": "Longest time that a record may wait before its log is compacted.",
    "log.cleaner.min.cleanable.ratio": "Share of a log that must be uncompacted before it is worth compacting.",
    "log.cleaner.min.compaction.lag.ms": (
        "Shortest time that a record stays as it was written before compaction may touch it."
    ),
    "log.cleaner.threads": "Number of threads that compact logs.",
    "log.cleanup.policy": "What happens to old segments: delete, compact, both, or nothing when empty.",
    "log.dir": "Directories of the logs where log.dirs is not set.",
    "log.dir.failure.timeout.ms": (
        "A broker that cannot tell the controller of a failed log directory within this time stops."
    ),
    "log.dirs": "Directories over which the partitions' logs are spread.",
    "log.flush.interval.messages": "Records written to a partition before it is forced to disk.",
    "log.flush.interval.ms": (
        "Longest time before written records are forced to disk; log.flush.scheduler.interval.ms when not set."
    ),
    "log.flush.offset.checkpoint.interval.ms": "How often the recovery points of logs are saved.",
    "log.flush.scheduler.interval.ms": "How often logs are checked for whether they need forcing to disk.",
    "log.flush.start.offset.checkpoint.interval.ms": "How often the start offsets of logs are saved.",
    "log.index.interval.bytes": "Bytes of records between two entries of the offset index.",
    "log.index.size.max.bytes": "Largest size of an offset index.",
    "log.initial.task.delay.ms": (
        "Wait after the start before retention, flushing and the other background tasks of logs begin."
    ),
    "log.local.retention.bytes": (
        "Bytes of a tiered partition kept on local disk; -2 stands for the value of log.retention.bytes."
    ),
    "log.local.retention.ms": (
        "How long segments of a tiered partition stay on local disk; -2 stands for log.retention.ms."
    ),
    "log.message.timestamp.after.max.ms": "How far a record's timestamp may lie ahead of the broker's clock.",
    "log.message.timestamp.before.max.ms": "How far a record's timestamp may lie behind the broker's clock.",
    "log.message.timestamp.type": (
        "Whether records bear the producer's time (CreateTime) or the broker's (LogAppendTime)."
    ),
    "log.preallocate": "Whether the files of new segments are given their full size at once.",
    "log.retention.bytes": "Size of a partition past which its oldest segments are deleted; -1 is no bound.",
    "log.retention.check.interval.ms": "How often logs are checked for segments that are due for deletion.",
    "log.retention.hours": "Retention in hours; log.retention.ms and log.retention.minutes take precedence.",
    "log.retention.minutes": (
        "Retention in minutes; log.retention.ms takes precedence, log.retention.hours stands in when not set."
    ),
    "log.retention.ms": "Age past which segments are deleted; -1 is never; log.retention.minutes when not set.",
    "log.roll.hours": "Age in hours at which a segment is closed; log.roll.ms takes precedence.",
    "log.roll.jitter.hours": "The random part of the rolling time in hours; log.roll.jitter.ms takes precedence.",
    "log.roll.jitter.ms": (
        "Up to this much is taken off the rolling time at random, so that segments do not roll all at once."
    ),
    "log.roll.ms": "Age at which a log segment is closed even if it is not full; log.roll.hours when not set.",
    "log.segment.bytes": "Size at which a log segment is closed and the next one opened.",
    "log.segment.delete.delay.ms": "Wait between renaming a segment for deletion and removing its files.",
    "num.recovery.threads.per.data.dir": (
        "Threads per log directory that recover logs at the start and flush them at the stop."
    ),
}
