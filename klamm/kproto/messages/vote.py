"""Vote (API 52): elect the leader of the metadata quorum (KIP-595)."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uint16, uuid, v


class VoteRequest(Message, key=52, versions="0-2", flexible="0+"):
    """A candidate asks a voter for its vote, or with `pre_vote` whether it would get it (v2, KIP-996).

    `last_offset_epoch` and `last_offset` tell how far the candidate's log goes. v1 has directory ids, so that a voter
    with a new disk is another voter (KIP-853).
    """

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
    """Whether the vote is granted, and the leader that the voter knows: -1 for none."""

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
