"""Fetch: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import (
    MISSING,
    ZERO_UUID,
    Message,
    RecordBytes,
    Struct,
    int8,
    int16,
    int32,
    int64,
    string,
    uuid,
    v,
)


class FetchRequest(Message, key=1, versions="4-18", flexible="12+"):
    cluster_id: string | None = v("12+", default=None, tag=0, ignorable=True)
    replica_id: int32 = v("0-14", default=-1)
    replica_state: ReplicaState = v("15+", default=MISSING, tag=1)
    max_wait_ms: int32
    min_bytes: int32
    max_bytes: int32 = v(default=0x7FFFFFFF, ignorable=True)
    isolation_level: int8 = v(default=0, ignorable=True)
    session_id: int32 = v("7+", default=0, ignorable=True)
    session_epoch: int32 = v("7+", default=-1, ignorable=True)
    topics: list[FetchTopic]
    forgotten_topics_data: list[ForgottenTopic] = v("7+", default=[])
    rack_id: string = v("11+", default="", ignorable=True)

    class ReplicaState(Struct):
        replica_id: int32 = -1
        replica_epoch: int64 = -1

    class FetchTopic(Struct):
        topic: string = v("0-12", default="", ignorable=True)
        topic_id: uuid = v("13+", default=ZERO_UUID, ignorable=True)
        partitions: list[FetchPartition]

        class FetchPartition(Struct):
            partition: int32
            current_leader_epoch: int32 = v("9+", default=-1, ignorable=True)
            fetch_offset: int64
            last_fetched_epoch: int32 = v("12+", default=-1)
            log_start_offset: int64 = v("5+", default=-1, ignorable=True)
            partition_max_bytes: int32
            replica_directory_id: uuid = v("17+", default=ZERO_UUID, tag=0, ignorable=True)
            high_watermark: int64 = v("18+", default=0x7FFFFFFFFFFFFFFF, tag=1, ignorable=True)

    class ForgottenTopic(Struct):
        topic: string = v("7-12", default="", ignorable=True)
        topic_id: uuid = v("13+", default=ZERO_UUID, ignorable=True)
        partitions: list[int32]


class FetchResponse(Message, key=1, versions="4-18", flexible="12+"):
    throttle_time_ms: int32 = v(default=0, ignorable=True)
    error_code: int16 = v("7+", default=0, ignorable=True)
    session_id: int32 = v("7+", default=0)
    responses: list[FetchableTopicResponse]
    node_endpoints: list[NodeEndpoint] = v("16+", default=[], tag=0)

    class FetchableTopicResponse(Struct):
        topic: string = v("0-12", default="", ignorable=True)
        topic_id: uuid = v("13+", default=ZERO_UUID, ignorable=True)
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            error_code: int16
            high_watermark: int64
            last_stable_offset: int64 = v(default=-1, ignorable=True)
            log_start_offset: int64 = v("5+", default=-1, ignorable=True)
            diverging_epoch: EpochEndOffset = v("12+", default=MISSING, tag=0)
            current_leader: LeaderIdAndEpoch = v("12+", default=MISSING, tag=1)
            snapshot_id: SnapshotId = v("12+", default=MISSING, tag=2)
            aborted_transactions: list[AbortedTransaction] | None = v(default=[], ignorable=True)
            preferred_read_replica: int32 = v("11+", default=-1)
            records: RecordBytes | None

            class EpochEndOffset(Struct):
                epoch: int32 = -1
                end_offset: int64 = -1

            class LeaderIdAndEpoch(Struct):
                leader_id: int32 = -1
                leader_epoch: int32 = -1

            class SnapshotId(Struct):
                end_offset: int64 = -1
                epoch: int32 = -1

            class AbortedTransaction(Struct):
                producer_id: int64
                first_offset: int64

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: int32
        rack: string | None = None
