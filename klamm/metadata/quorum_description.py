"""DescribeQuorum: the metadata quorum as its leader sees it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from klamm.kproto import errors
from klamm.kproto.errors import info
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse, ReplicaState
from klamm.metadata.controller.topic_names import CLUSTER_METADATA
from klamm.metadata.raft.core import Raft
from klamm.metadata.raft.leader import Leader, Progress

Topic = DescribeQuorumResponse.TopicData
Partition = Topic.PartitionData


def describe_quorum(
    request: DescribeQuorumRequest, raft: Raft, monotonic_ms: float, now_ms: int
) -> DescribeQuorumResponse:
    """Only `__cluster_metadata-0` has a quorum; anything else is an unknown partition.

    A leader's own row carries the present as its last fetch and its last time caught up, as in Kafka.
    """
    asked = [(topic.topic_name, [p.partition_index for p in topic.partitions]) for topic in request.topics]
    if asked != [(CLUSTER_METADATA, [0])]:
        return _answer([(name, [_error(i, errors.UNKNOWN_TOPIC_OR_PARTITION) for i in rows]) for name, rows in asked])
    leader = raft.state
    if not isinstance(leader, Leader):
        return _answer([(CLUSTER_METADATA, [_error(0, errors.NOT_LEADER_OR_FOLLOWER)])])
    since_epoch_ms = now_ms - monotonic_ms

    def rows(replicas: Iterable[Progress]) -> list[ReplicaState]:
        return [_row(replica, raft, since_epoch_ms, now_ms) for replica in replicas]

    partition = Partition(
        partition_index=0,
        error_code=errors.NONE,
        leader_id=leader.node_id,
        leader_epoch=leader.epoch,
        high_watermark=leader.high_watermark,
        current_voters=rows(leader.voters.values()),
        observers=rows(observer for observer in leader.observers.values() if observer.key.node_id != raft.node_id),
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


def _row(replica: Progress, raft: Raft, since_epoch_ms: float, now_ms: int) -> ReplicaState:
    is_own = replica.key.node_id == raft.node_id
    return ReplicaState(
        replica_id=replica.key.node_id,
        replica_directory_id=replica.key.directory_id,
        log_end_offset=raft.end_offset if is_own else replica.end_offset,
        last_fetch_timestamp=now_ms if is_own else _time_ms(replica.last_fetch_ms, since_epoch_ms),
        last_caught_up_timestamp=now_ms if is_own else _time_ms(replica.last_caught_up_ms, since_epoch_ms),
    )


def _time_ms(monotonic_ms: float, since_epoch_ms: float) -> int:
    """-1 for what has not happened."""
    return -1 if math.isinf(monotonic_ms) else int(monotonic_ms + since_epoch_ms)


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
