"""DescribeQuorum (API 55): leader, voters and observers of the metadata quorum (KIP-595)."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uint16, uuid, v


class DescribeQuorumRequest(Message, key=55, versions="0-2", flexible="0+"):
    """The partition is always 0 of __cluster_metadata."""

    topics: list[TopicData]

    class TopicData(Struct):
        topic_name: string
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32


class ReplicaState(Struct):
    replica_id: int32
    replica_directory_id: uuid = v("2+", default=ZERO_UUID)
    log_end_offset: int64
    last_fetch_timestamp: int64 = v("1+", default=-1, ignorable=True)
    last_caught_up_timestamp: int64 = v("1+", default=-1, ignorable=True)


class DescribeQuorumResponse(Message, key=55, versions="0-2", flexible="0+"):
    """The leader's view of the quorum.

    v1 tells when each replica last fetched and last was caught up, in ms since 1970, -1 if unknown (KIP-836); v2
    directory ids and the addresses of the voters (KIP-853).
    """

    error_code: int16
    error_message: string | None = v("2+", default="", ignorable=True)
    topics: list[TopicData]
    nodes: list[Node] = v("2+", default=[])

    class TopicData(Struct):
        topic_name: string
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            error_code: int16
            error_message: string | None = v("2+", default="", ignorable=True)
            leader_id: int32
            leader_epoch: int32
            high_watermark: int64
            current_voters: list[ReplicaState]
            observers: list[ReplicaState]

    class Node(Struct):
        node_id: int32
        listeners: list[Listener]

        class Listener(Struct):
            name: string
            host: string
            port: uint16
