"""Records of __remote_log_metadata (KIP-405): which segments are in remote storage.

In the log a value begins with three unsigned varints, as in __cluster_metadata: frame version 1, record type, version.
"""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int32, int64, string, uuid, v


class RemoteLogSegmentMetadataRecord(Message, key=0, versions="0", flexible="0+"):
    """A segment that is being copied to remote storage.

    `remote_log_segment_state`: 0 copying, 1 copied, 2 being deleted, 3 deleted. Times in ms since 1970.
    """

    remote_log_segment_id: RemoteLogSegmentIdEntry
    start_offset: int64
    end_offset: int64
    broker_id: int32
    max_timestamp_ms: int64
    event_timestamp_ms: int64
    segment_leader_epochs: list[SegmentLeaderEpochEntry]
    segment_size_in_bytes: int32
    custom_metadata: bytes | None = None
    remote_log_segment_state: int8
    txn_index_empty: bool = v(default=False, tag=0)

    class RemoteLogSegmentIdEntry(Struct):
        topic_id_partition: TopicIdPartitionEntry
        id: uuid

        class TopicIdPartitionEntry(Struct):
            name: string
            id: uuid
            partition: int32

    class SegmentLeaderEpochEntry(Struct):
        leader_epoch: int32
        offset: int64


class RemoteLogSegmentMetadataUpdateRecord(Message, key=1, versions="0", flexible="0+"):
    """The next state of a segment."""

    remote_log_segment_id: RemoteLogSegmentIdEntry
    broker_id: int32
    event_timestamp_ms: int64
    custom_metadata: bytes | None = None
    remote_log_segment_state: int8

    class RemoteLogSegmentIdEntry(Struct):
        topic_id_partition: TopicIdPartitionEntry
        id: uuid

        class TopicIdPartitionEntry(Struct):
            name: string
            id: uuid
            partition: int32


class RemotePartitionDeleteMetadataRecord(Message, key=2, versions="0", flexible="0+"):
    """A partition that is deleted with all of its segments: 0 marked, 1 under way, 2 done."""

    topic_id_partition: TopicIdPartitionEntry
    broker_id: int32
    event_timestamp_ms: int64
    remote_partition_delete_state: int8

    class TopicIdPartitionEntry(Struct):
        name: string
        id: uuid
        partition: int32


class RemoteLogSegmentMetadataSnapshotRecord(Message, key=3, versions="0", flexible="0+"):
    """A segment's metadata, in a broker's snapshot of the topic."""

    segment_id: uuid
    start_offset: int64
    end_offset: int64
    broker_id: int32
    max_timestamp_ms: int64
    event_timestamp_ms: int64
    segment_leader_epochs: list[SegmentLeaderEpochEntry]
    segment_size_in_bytes: int32
    custom_metadata: bytes | None = None
    remote_log_segment_state: int8
    txn_index_empty: bool = v(default=False, tag=0)

    class SegmentLeaderEpochEntry(Struct):
        leader_epoch: int32
        offset: int64
