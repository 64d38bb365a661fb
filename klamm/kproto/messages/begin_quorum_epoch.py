"""BeginQuorumEpoch (API 53): a new leader of the quorum tells the voters that it leads (KIP-595)."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, string, uint16, uuid, v


class BeginQuorumEpochRequest(Message, key=53, versions="0-1", flexible="1+"):
    """The leader and its epoch; v1 with its addresses and the voter that is meant (KIP-853)."""

    cluster_id: string | None = None
    voter_id: int32 = v("1+", default=-1, ignorable=True)
    topics: list[TopicData]
    leader_endpoints: list[LeaderEndpoint] = v("1+", default=[], ignorable=True)

    class TopicData(Struct):
        topic_name: string
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            voter_directory_id: uuid = v("1+", default=ZERO_UUID, ignorable=True)
            leader_id: int32
            leader_epoch: int32

    class LeaderEndpoint(Struct):
        name: string
        host: string
        port: uint16


class BeginQuorumEpochResponse(Message, key=53, versions="0-1", flexible="1+"):
    """FENCED_LEADER_EPOCH and the later leader, if there is one."""

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
