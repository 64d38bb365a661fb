"""remote_log_records"""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int32, int64, string, uuid, v


class RemoteLogSegmentMetadataRecord(Message, key=0, versions="0", flexible="0+"):
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
    topic_id_partition: TopicIdPartitionEntry
    broker_id: int32
    event_timestamp_ms: int64
    remote_partition_delete_state: int8

    class TopicIdPartitionEntry(Struct):
        name: string
        id: uuid
        partition: int32


class RemoteLogSegmentMetadataSnapshotRecord(Message, key=3, versions="0", flexible="0+"):
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
