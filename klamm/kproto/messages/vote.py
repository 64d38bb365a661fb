"""Vote: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uint16, uuid, v


class VoteRequest(Message, key=52, versions="0-2", flexible="0+"):
    cluster_id: string | None = None
    voter_id: int32 = v("1+", default=-1, ignorable=True)
    topics: list[TopicData]

    class TopicData(Struct):
        topic_name: string
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            replica_epoch: int32
            replica_id: int32
            replica_directory_id: uuid = v("1+", default=ZERO_UUID, ignorable=True)
            voter_directory_id: uuid = v("1+", default=ZERO_UUID, ignorable=True)
            last_offset_epoch: int32
            last_offset: int64
            pre_vote: bool = v("2+", default=False)


class VoteResponse(Message, key=52, versions="0-2", flexible="0+"):
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
            vote_granted: bool

    class NodeEndpoint(Struct):
        node_id: int32
        host: string
        port: uint16
