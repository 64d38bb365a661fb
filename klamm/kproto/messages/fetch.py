"""Fetch (API 1): record batches from partitions, for consumers and for followers."""

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
    """Read record batches from partitions, each from an offset on.

    The broker waits up to `max_wait_ms` until it has `min_bytes` in all. `max_bytes` and `partition_max_bytes` are
    soft: the first batch comes whole even if it is larger (KIP-74). `isolation_level`: 0 everything up to the high
    watermark, 1 only what is committed. Consumers leave `replica_id` (to v14) and `replica_state` (v15, KIP-903) at -1.

    Sessions (v7, KIP-227): `session_id` 0 with `session_epoch` 0 asks for a session, epoch -1 goes without one; within
    a session only what changed is sent, and `forgotten_topics_data` leaves it. v9 checks the leader epoch (KIP-320);
    v10 zstd (KIP-110); v11 `rack_id` to read from a near follower (KIP-392); v12 is flexible and tells of diverging
    logs (KIP-595); v13 topic ids (KIP-516); v17 directory ids of quorum voters (KIP-853); v18 the follower's high
    watermark (KIP-1166).
    """

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
        """The follower that fetches; -1 and -1 for a consumer."""

        replica_id: int32 = -1
        replica_epoch: int64 = -1

    class FetchTopic(Struct):
        topic: string = v("0-12", default="", ignorable=True)
        topic_id: uuid = v("13+", default=ZERO_UUID, ignorable=True)
        partitions: list[FetchPartition]

        class FetchPartition(Struct):
            """One partition and where to read on.

            Epochs and `log_start_offset` are -1 where the client does not know or need them. `last_fetched_epoch` is
            the epoch of the last record that a replica has: with it the leader finds out whether the logs diverge.
            """

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
    """Record batches of each partition, as they stand in the log: the first one may begin before the offset asked for.

    In a session, partitions with nothing new are left out. `high_watermark` bounds what consumers may read,
    `last_stable_offset` what they may read when committed; `aborted_transactions` (null, or empty, without any) tells a
    committed reader which batches to skip. `preferred_read_replica` other than -1 sends the consumer to that broker
    (v11, KIP-392). v16 gives the addresses of new leaders (KIP-951).
    """

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
                """Where the follower must cut its log; -1 and -1, hence not sent, if its log agrees."""

                epoch: int32 = -1
                end_offset: int64 = -1

            class LeaderIdAndEpoch(Struct):
                leader_id: int32 = -1
                leader_epoch: int32 = -1

            class SnapshotId(Struct):
                """The snapshot to fetch first, because the log no longer reaches back so far (KIP-630)."""

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
