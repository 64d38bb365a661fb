"""What the topic keys do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

TOPIC_DOCS: Final[dict[str, str]] = {
    "cleanup.policy": "What happens to old segments: delete, compact, both, or nothing when empty.",
    "compression.gzip.level": (
        "Level of gzip when compression.type is gzip: 1 is fastest, 9 smallest, -1 the library's default."
    ),
    "compression.lz4.level": "Level of lz4 when compression.type is lz4.",
    "compression.type": "How the broker stores batches: with one codec, uncompressed, or as the producer sent them.",
    "compression.zstd.level": "Level of zstd when compression.type is zstd.",
    "delete.retention.ms": "How long the tombstones of a compacted topic remain readable.",
    "file.delete.delay.ms": "Wait between renaming a segment for deletion and removing its files.",
    "flush.messages": "Records written to a partition before it is forced to disk; best left to replication.",
    "flush.ms": "Longest time before written records are forced to disk; best left to replication.",
    "follower.replication.throttled.replicas": (
        "Replicas throttled on the receiving side, as partition:broker pairs, or * for all."
    ),
    "index.interval.bytes": "Bytes of records between two entries of the offset index.",
    "internal.segment.bytes": "Segment size without the lower bound of segment.bytes; for tests.",
    "leader.replication.throttled.replicas": (
        "Replicas throttled on the sending side, as partition:broker pairs, or * for all."
    ),
    "local.retention.bytes": (
        "Bytes of a tiered partition kept on local disk; -2 stands for the value of retention.bytes."
    ),
    "local.retention.ms": "How long segments of a tiered partition stay on local disk; -2 stands for retention.ms.",
    "max.compaction.lag.ms": "Longest time that a record may wait before its log is compacted.",
    "max.message.bytes": "Largest record batch, after compression, that the topic accepts.",
    "message.timestamp.after.max.ms": (
        "How far a record's timestamp may lie ahead of the broker's clock, with CreateTime."
    ),
    "message.timestamp.before.max.ms": (
        "How far a record's timestamp may lie behind the broker's clock, with CreateTime."
    ),
    "message.timestamp.type": "Whether records bear the producer's time (CreateTime) or the broker's (LogAppendTime).",
    "min.cleanable.dirty.ratio": "Share of the log that must be uncompacted before it is worth compacting.",
    "min.compaction.lag.ms": "Shortest time that a record stays as it was written before compaction may touch it.",
    "min.insync.replicas": "Replicas that must be in sync for a write with acks=all to succeed.",
    "preallocate": "Whether the files of new segments are given their full size at once.",
    "remote.log.copy.disable": "Whether a tiered topic stops copying to remote storage and only reads what is there.",
    "remote.log.delete.on.disable": "Whether turning remote.storage.enable off deletes what is in remote storage.",
    "remote.storage.enable": "Whether old segments of this topic move to remote storage.",
    "retention.bytes": "Size of a partition past which its oldest segments are deleted; -1 is no bound.",
    "retention.ms": "Age past which segments are deleted; -1 is never.",
    "segment.bytes": "Size at which a log segment is closed and the next one opened.",
    "segment.index.bytes": "Largest size of an offset index.",
    "segment.jitter.ms": "Up to this much is taken off segment.ms at random, so that segments do not roll all at once.",
    "segment.ms": "Age at which a log segment is closed even if it is not full.",
    "unclean.leader.election.enable": (
        "Whether a replica that is not in sync may lead when no other is left, at the price of lost records."
    ),
}
