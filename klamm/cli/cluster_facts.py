"""What a cluster tells of itself, asked by Kafka's own requests, and what follows from it.

Any Kafka 4 answers them; a broker that is not the active controller passes DescribeQuorum on to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final, cast

from klamm.channel import Channel, Channels
from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse, ReplicaState
from klamm.kproto.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
)
from klamm.kproto.uuids import uuid_text
from klamm.seams import SystemClock, TcpNetwork
from klamm.server.config.addresses import Address, parse_address

SILENT_MS: Final = 10_000
"""A voter that has not fetched for so long is gone: they fetch twice a second."""
_METADATA_TOPIC: Final = "__cluster_metadata"
_PAGE: Final = 2000
BROKER, CONTROLLER = "broker", "controller"


@dataclass
class QuorumReplica:
    """A replica of the metadata log. Times are milliseconds before the leader's answer; None: not known."""

    node_id: int
    directory_id: str
    end_offset: int
    lag: int
    fetched_ms_ago: int | None
    caught_up_ms_ago: int | None

    @property
    def is_silent(self) -> bool:
        return self.fetched_ms_ago is None or self.fetched_ms_ago > SILENT_MS


@dataclass
class Quorum:
    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: list[QuorumReplica]
    observers: list[QuorumReplica]
    addresses: dict[int, str]
    """Of the voters' controller listeners, where they are known."""


@dataclass
class PartitionState:
    """`leader_id` is -1 when there is none. `eligible` are the eligible leader replicas (KIP-966)."""

    topic: str
    index: int
    leader_id: int
    leader_epoch: int
    replicas: list[int]
    isr: list[int]
    eligible: list[int]

    @property
    def is_offline(self) -> bool:
        return self.leader_id < 0

    @property
    def is_under_replicated(self) -> bool:
        return len(self.isr) < len(self.replicas)

    @property
    def has_preferred_leader(self) -> bool:
        return bool(self.replicas) and self.leader_id == self.replicas[0]


@dataclass
class NodeState:
    """One node with what it holds; `out_of_sync` are its replicas that are not in the ISR."""

    node_id: int
    address: str
    roles: list[str]
    rack: str | None = None
    is_fenced: bool = False
    is_silent: bool = False
    leaders: int = 0
    replicas: int = 0
    out_of_sync: int = 0


@dataclass
class ClusterState:
    cluster_id: str
    nodes: list[NodeState]
    quorum: Quorum
    internal_topics: set[str]
    partitions: list[PartitionState] = field(default_factory=list)

    @property
    def offline(self) -> list[PartitionState]:
        return [partition for partition in self.partitions if partition.is_offline]

    @property
    def under_replicated(self) -> list[PartitionState]:
        return [partition for partition in self.partitions if partition.is_under_replicated]

    @property
    def absent(self) -> list[NodeState]:
        return [node for node in self.nodes if node.is_fenced or node.is_silent]

    @property
    def amiss(self) -> list[str]:
        """In words: nodes that do not work, and partitions that do not have all their replicas."""
        words = []
        if self.quorum.leader_id < 0:
            words.append("the quorum has no leader")
        if absent := [str(node.node_id) for node in self.absent]:
            words.append(f"node{'s' if len(absent) > 1 else ''} {', '.join(absent)} not there")
        if self.offline:
            words.append(f"{len(self.offline)} partitions offline")
        if self.under_replicated:
            words.append(f"{len(self.under_replicated)} partitions under-replicated")
        return words

    @property
    def is_well(self) -> bool:
        """Whether every node works and every partition has all its replicas."""
        return not self.amiss

    def as_json(self) -> dict[str, Any]:
        """For programs; everything that is shown to people, and each partition."""
        topics: dict[str, list[dict[str, Any]]] = {}
        for partition in self.partitions:
            row = asdict(partition)
            topics.setdefault(row.pop("topic"), []).append(row)
        quorum = asdict(self.quorum)
        del quorum["addresses"]
        return {
            "cluster_id": self.cluster_id,
            "is_well": self.is_well,
            "nodes": [asdict(node) for node in self.nodes],
            "quorum": quorum,
            "partitions": len(self.partitions),
            "under_replicated": len(self.under_replicated),
            "offline": len(self.offline),
            "topics": [
                {"name": name, "is_internal": name in self.internal_topics, "partitions": rows}
                for name, rows in topics.items()
            ],
        }


class NotReached(Exception):
    """No bootstrap server answered, in words."""


def parse_bootstrap(text: str) -> list[Address]:
    """`host:port` entries, separated by commas. Raises ValueError."""
    found = []
    for entry in text.split(","):
        address = parse_address(entry.strip())
        if address is None or not address.port:
            raise ValueError(f"--bootstrap-server {entry}: host:port was expected")
        found.append(address)
    return found


async def ask_cluster(servers: Sequence[Address], timeout_ms: float) -> ClusterState:
    """The state of the cluster, told by the first of `servers` that answers. Raises NotReached."""
    failures = []
    for host, port in servers:
        try:
            async with _channel(host, port, timeout_ms) as channel:
                return await ask_over(channel)
        except KafkaError as error:
            message = error.message or errors.info(error.code).name
            failures.append(message if f"{host}:{port}" in message else f"{host}:{port}: {message}")
    raise NotReached("; ".join(failures))


@asynccontextmanager
async def _channel(host: str, port: int, timeout_ms: float) -> AsyncIterator[Channel]:
    channels = Channels(TcpNetwork(), SystemClock(asyncio.get_running_loop()))
    channel = Channel(channels, host, port, client_id="klamm-cluster", request_timeout_ms=timeout_ms)
    try:
        yield channel
    finally:
        channel.close()


async def ask_over(channel: Channel) -> ClusterState:
    """The state of the cluster, told by the broker at the other end. Raises KafkaError."""
    asked = DescribeClusterRequest(include_cluster_authorized_operations=False)
    try:
        asked.include_fenced_brokers = True
        answer = await channel.send(asked).future()
    except KafkaError as error:
        if error.code != errors.UNSUPPORTED_VERSION:
            raise
        asked.include_fenced_brokers = False  # before Kafka 4.0 (KIP-1073)
        answer = await channel.send(asked).future()
    cluster = cast(DescribeClusterResponse, answer)
    _check(cluster.error_code, cluster.error_message)
    quorum = await _ask_quorum(channel)
    partitions, internal = await _ask_partitions(channel)
    return ClusterState(cluster.cluster_id, _nodes(cluster, quorum, partitions), quorum, internal, partitions)


async def _ask_quorum(channel: Channel) -> Quorum:
    topic = DescribeQuorumRequest.TopicData
    row = topic(topic_name=_METADATA_TOPIC, partitions=[topic.PartitionData(partition_index=0)])
    response = cast(DescribeQuorumResponse, await channel.send(DescribeQuorumRequest(topics=[row])).future())
    _check(response.error_code, response.error_message)
    partition = response.topics[0].partitions[0]
    _check(partition.error_code, partition.error_message)
    leader = next((row for row in partition.current_voters if row.replica_id == partition.leader_id), None)
    return Quorum(
        partition.leader_id,
        partition.leader_epoch,
        partition.high_watermark,
        [_quorum_replica(row, leader) for row in partition.current_voters],
        [_quorum_replica(row, leader) for row in partition.observers],
        {
            node.node_id: f"{node.listeners[0].host}:{node.listeners[0].port}"
            for node in response.nodes
            if node.listeners
        },
    )


def _quorum_replica(row: ReplicaState, leader: ReplicaState | None) -> QuorumReplica:
    """The leader's own row has its present in place of a last fetch."""

    def ago(then_ms: int, now_ms: int) -> int | None:
        return max(now_ms - then_ms, 0) if then_ms >= 0 and now_ms >= 0 else None

    if leader is None:
        leader = ReplicaState(replica_id=-1, log_end_offset=row.log_end_offset)
    return QuorumReplica(
        row.replica_id,
        uuid_text(row.replica_directory_id),
        row.log_end_offset,
        max(leader.log_end_offset - row.log_end_offset, 0) if row.log_end_offset >= 0 else leader.log_end_offset,
        ago(row.last_fetch_timestamp, leader.last_fetch_timestamp),
        ago(row.last_caught_up_timestamp, leader.last_caught_up_timestamp),
    )


async def _ask_partitions(channel: Channel) -> tuple[list[PartitionState], set[str]]:
    partitions: list[PartitionState] = []
    internal: set[str] = set()
    request = DescribeTopicPartitionsRequest(topics=[], response_partition_limit=_PAGE)
    while True:
        response = cast(DescribeTopicPartitionsResponse, await channel.send(request).future())
        for topic in response.topics:
            name = topic.name or uuid_text(topic.topic_id)
            if topic.is_internal:
                internal.add(name)
            partitions += [
                PartitionState(
                    name, p.partition_index, p.leader_id, p.leader_epoch,
                    list(p.replica_nodes), list(p.isr_nodes), list(p.eligible_leader_replicas or ()),
                )
                for p in topic.partitions
            ]  # fmt: skip
        cursor = response.next_cursor
        if cursor is None:
            return partitions, internal
        request.cursor = DescribeTopicPartitionsRequest.Cursor(
            topic_name=cursor.topic_name, partition_index=cursor.partition_index
        )


def _nodes(cluster: DescribeClusterResponse, quorum: Quorum, partitions: list[PartitionState]) -> list[NodeState]:
    nodes = {
        row.broker_id: NodeState(row.broker_id, f"{row.host}:{row.port}", [BROKER], row.rack, row.is_fenced)
        for row in cluster.brokers
    }
    for voter in quorum.voters:
        address = quorum.addresses.get(voter.node_id, "")
        node = nodes.setdefault(voter.node_id, NodeState(voter.node_id, address, []))
        node.roles.append(CONTROLLER)
        node.is_silent = voter.is_silent
    for observer in quorum.observers:
        # A controller that does not vote yet: brokers that only follow are known as brokers.
        if observer.node_id not in nodes and not observer.is_silent:
            nodes[observer.node_id] = NodeState(observer.node_id, "", [CONTROLLER])
    for partition in partitions:
        for node_id in partition.replicas:
            # One that is gone, and was so for so long that nobody remembers where it was.
            holder = nodes.setdefault(node_id, NodeState(node_id, "", [BROKER], is_fenced=True))
            holder.replicas += 1
            holder.leaders += node_id == partition.leader_id
            holder.out_of_sync += node_id not in partition.isr
    return [nodes[node_id] for node_id in sorted(nodes)]


def _check(code: int, message: str | None) -> None:
    if code:
        raise KafkaError(code, message or errors.info(code).message)
