"""FetchSnapshot (API 59): copy a snapshot of the metadata log, piece by piece (KIP-630)."""

from __future__ import annotations

from klamm.kproto.schema import (
    MISSING,
    ZERO_UUID,
    Message,
    RecordBytes,
    Struct,
    int16,
    int32,
    int64,
    string,
    uint16,
    uuid,
    v,
)


class FetchSnapshotRequest(Message, key=59, versions="0-1", flexible="0+"):
    """Bytes of a snapshot file from `position` on, up to `max_bytes`."""

    cluster_id: string | None = v(default=None, tag=0)
    replica_id: int32 = -1
    max_bytes: int32 = 0x7FFFFFFF
    topics: list[TopicSnapshot]

    class TopicSnapshot(Struct):
        name: string
        partitions: list[PartitionSnapshot]

        class PartitionSnapshot(Struct):
            partition: int32
            current_leader_epoch: int32
            snapshot_id: SnapshotId
            position: int64
            replica_directory_id: uuid = v("1+", default=ZERO_UUID, tag=0, ignorable=True)

            class SnapshotId(Struct):
                end_offset: int64
                epoch: int32


class FetchSnapshotResponse(Message, key=59, versions="0-1", flexible="0+"):
    """A piece of the file, which may begin or end within a batch; `size` is that of the whole file.

    The current leader is told when the node that was asked is not it.
    """

    throttle_time_ms: int32 = v(default=0, ignorable=True)
    error_code: int16
    topics: list[TopicSnapshot]
    node_endpoints: list[NodeEndpoint] = v("1+", default=[], tag=0)

    class TopicSnapshot(Struct):
        name: string
        partitions: list[PartitionSnapshot]

        class PartitionSnapshot(Struct):
            index: int32
            error_code: int16
            snapshot_id: SnapshotId
            current_leader: LeaderIdAndEpoch = v(default=MISSING, tag=0)
            size: int64
            position: int64
            unaligned_records: RecordBytes

            class SnapshotId(Struct):
                end_offset: int64
                epoch: int32

            class LeaderIdAndEpoch(Struct):
                leader_id: int32
                leader_epoch: int32

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: uint16
