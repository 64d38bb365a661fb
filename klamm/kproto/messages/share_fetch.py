"""ShareFetch (API 78): acquire records of a share group, and acknowledge earlier ones (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, RecordBytes, Struct, int8, int16, int32, int64, string, uuid, v


class ShareFetchRequest(Message, key=78, versions="1-2", flexible="0+"):
    """Fetch and acknowledge in one.

    `share_session_epoch`: 0 opens a session, -1 ends it. `acknowledge_types`: 0 gap, 1 accept, 2 release, 3 reject, 4
    renew; one for the batch or one a record. v2 lets a client have no more than `max_records` (`share_acquire_mode` 1,
    KIP-1206) and renew what it holds (KIP-1222).
    """

    group_id: string | None = None
    member_id: string | None
    share_session_epoch: int32
    max_wait_ms: int32
    min_bytes: int32
    max_bytes: int32 = 0x7FFFFFFF
    max_records: int32
    batch_size: int32
    share_acquire_mode: int8 = v("2+", default=0, ignorable=True)
    is_renew_ack: bool = v("2+", default=False)
    topics: list[FetchTopic]
    forgotten_topics_data: list[ForgottenTopic]

    class FetchTopic(Struct):
        topic_id: uuid
        partitions: list[FetchPartition]

        class FetchPartition(Struct):
            partition_index: int32
            partition_max_bytes: int32 = v("0", default=0)
            acknowledgement_batches: list[AcknowledgementBatch]

            class AcknowledgementBatch(Struct):
                first_offset: int64
                last_offset: int64
                acknowledge_types: list[int8]

    class ForgottenTopic(Struct):
        topic_id: uuid
        partitions: list[int32]


class ShareFetchResponse(Message, key=78, versions="1-2", flexible="0+"):
    """Record batches, and which records of them were acquired, each with how often it has been delivered.

    They are the client's for `acquisition_lock_timeout_ms`.
    """

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    acquisition_lock_timeout_ms: int32
    responses: list[ShareFetchableTopicResponse]
    node_endpoints: list[NodeEndpoint]

    class ShareFetchableTopicResponse(Struct):
        topic_id: uuid
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            error_code: int16
            error_message: string | None = None
            acknowledge_error_code: int16
            acknowledge_error_message: string | None = None
            current_leader: LeaderIdAndEpoch
            records: RecordBytes | None = v(nullable="0")
            acquired_records: list[AcquiredRecords]

            class LeaderIdAndEpoch(Struct):
                leader_id: int32
                leader_epoch: int32

            class AcquiredRecords(Struct):
                first_offset: int64
                last_offset: int64
                delivery_count: int16

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: int32
        rack: string | None = None
