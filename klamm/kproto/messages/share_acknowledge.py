"""ShareAcknowledge (API 79): acknowledge records of a share group without fetching (KIP-932)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, uuid, v


class ShareAcknowledgeRequest(Message, key=79, versions="1-2", flexible="0+"):
    """Batches of offsets with acknowledgements as in ShareFetch."""

    group_id: string | None = None
    member_id: string | None
    share_session_epoch: int32
    is_renew_ack: bool = v("2+", default=False)
    topics: list[AcknowledgeTopic]

    class AcknowledgeTopic(Struct):
        topic_id: uuid
        partitions: list[AcknowledgePartition]

        class AcknowledgePartition(Struct):
            partition_index: int32
            acknowledgement_batches: list[AcknowledgementBatch]

            class AcknowledgementBatch(Struct):
                first_offset: int64
                last_offset: int64
                acknowledge_types: list[int8]


class ShareAcknowledgeResponse(Message, key=79, versions="1-2", flexible="0+"):
    """An error for each partition, and the leader where it has moved."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    acquisition_lock_timeout_ms: int32 = v("2+", default=0, ignorable=True)
    responses: list[ShareAcknowledgeTopicResponse]
    node_endpoints: list[NodeEndpoint]

    class ShareAcknowledgeTopicResponse(Struct):
        topic_id: uuid
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            error_code: int16
            error_message: string | None = None
            current_leader: LeaderIdAndEpoch

            class LeaderIdAndEpoch(Struct):
                leader_id: int32
                leader_epoch: int32

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: int32
        rack: string | None = None
