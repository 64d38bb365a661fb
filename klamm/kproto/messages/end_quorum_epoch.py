"""EndQuorumEpoch (API 54): a leader of the quorum resigns, so that the next is elected without a timeout (KIP-595)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uint16, uuid, v


class EndQuorumEpochRequest(Message, key=54, versions="0-1", flexible="1+"):
    """Who should stand for election, the most caught-up first: by id (v0) or by id and directory (v1, KIP-853)."""

    cluster_id: string | None = None
    topics: list[TopicData]
    leader_endpoints: list[LeaderEndpoint] = v("1+", default=[], ignorable=True)

    class TopicData(Struct):
        topic_name: string
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            leader_id: int32
            leader_epoch: int32
            preferred_successors: list[int32] = v("0", default=[], ignorable=True)
            preferred_candidates: list[ReplicaInfo] = v("1+", default=[], ignorable=True)

            class ReplicaInfo(Struct):
                candidate_id: int32
                candidate_directory_id: uuid

    class LeaderEndpoint(Struct):
        name: string
        host: string
        port: uint16


class EndQuorumEpochResponse(Message, key=54, versions="0-1", flexible="1+"):
    """The epoch and leader that the voter knows."""

    error_code: int16
    topics: list[TopicData]
    node_endpoints: list[NodeEndpoint] = v("1+", default=[], tag=0)

    class TopicData(Struct):
        topic_name: string
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            error_code: int16
            leader_id: int32
            leader_epoch: int32

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: uint16
