"""DescribeQuorum: the metadata quorum as its leader sees it."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import info
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse, ReplicaState
from klamm.metadata.controller.topic_names import CLUSTER_METADATA
from klamm.metadata.raft.core import Raft, Role

Topic = DescribeQuorumResponse.TopicData
Partition = Topic.PartitionData


def describe_quorum(request: DescribeQuorumRequest, raft: Raft, end_offset: int, now_ms: int) -> DescribeQuorumResponse:
    """Only `__cluster_metadata-0` has a quorum; anything else is an unknown partition.

    A leader's own row carries the present as its last fetch and its last time caught up, as in Kafka.
    """
    asked = [(topic.topic_name, [p.partition_index for p in topic.partitions]) for topic in request.topics]
    if asked != [(CLUSTER_METADATA, [0])]:
        return _answer([(name, [_error(i, errors.UNKNOWN_TOPIC_OR_PARTITION) for i in rows]) for name, rows in asked])
    if raft.role is not Role.LEADER:
        return _answer([(CLUSTER_METADATA, [_error(0, errors.NOT_LEADER_OR_FOLLOWER)])])
    voters = [
        ReplicaState(
            replica_id=voter.node_id,
            replica_directory_id=voter.directory_id,
            log_end_offset=end_offset,
            last_fetch_timestamp=now_ms,
            last_caught_up_timestamp=now_ms,
        )
        for voter in raft.voters.voters
    ]
    partition = Partition(
        partition_index=0,
        error_code=errors.NONE,
        leader_id=raft.leader_id,
        leader_epoch=raft.epoch,
        high_watermark=raft.high_watermark,
        current_voters=voters,
        observers=[],
    )
    response = _answer([(CLUSTER_METADATA, [partition])])
    node = DescribeQuorumResponse.Node
    response.nodes = [
        node(
            node_id=voter.node_id,
            listeners=[node.Listener(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
        )
        for voter in raft.voters.voters
    ]
    return response


def _answer(topics: list[tuple[str, list[Partition]]]) -> DescribeQuorumResponse:
    return DescribeQuorumResponse(
        error_code=errors.NONE, topics=[Topic(topic_name=name, partitions=rows) for name, rows in topics]
    )


def _error(partition_index: int, code: int) -> Partition:
    return Partition(
        partition_index=partition_index,
        error_code=code,
        error_message=info(code).message,
        leader_id=0,
        leader_epoch=0,
        high_watermark=0,
        current_voters=[],
        observers=[],
    )
