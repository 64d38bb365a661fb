"""The life of three real brokers beside a real controller: what their own requests make it write.

Brokers 1 and 2 have one log directory, broker 3 has two. Nobody sees what they ask of the controller; the records tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from compat.cluster import CONTROLLER_ID_FIRST
from compat.controller_records.log_reading import Json, MetadataLogReader
from compat.differential.run import fit
from compat.kafka_cluster import KafkaCluster
from klamm.kproto.catalog import message_class
from klamm.metadata.image.partition import PartitionRegistration
from klamm.testing.wire import WireClient

_SETTLE_TIMEOUT_S = 60.0
SETTINGS = {
    "metadata.max.idle.interval.ms": "0",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "auto.leader.rebalance.enable": "false",
    "replica.lag.time.max.ms": "5000",
}


class Nodes:
    """The cluster, requests to its controller, and the steps so far."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self.cluster = cluster
        self.steps: list[Json] = []
        self._log = MetadataLogReader(cluster.data_dir(CONTROLLER_ID_FIRST))
        address = f"127.0.0.1:{cluster.nodes[CONTROLLER_ID_FIRST].controller_port}"
        self._wire = WireClient(address, 30.0, "controller-records")

    def ask(self, name: str, version: int, **values: Any) -> Any:
        request = fit(message_class(f"{name}Request"), version, **values)
        return self._wire.ask(request, version, message_class(f"{name}Response"))

    def until(self, step: str, is_there: Callable[[], bool]) -> None:
        """Note what is written until the image says `is_there`."""
        batches: list[Any] = self._log.new_batches()
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        while not is_there():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{step}: the cluster did not get there")
            time.sleep(0.05)
            batches += self._log.new_batches()
        self.steps.append({"step": step, "batches": batches})

    def create(self, name: str, assignments: Sequence[Sequence[int]], min_insync_replicas: str) -> None:
        rows = [{"partition_index": i, "broker_ids": list(ids)} for i, ids in enumerate(assignments)]
        configs = [{"name": "min.insync.replicas", "value": min_insync_replicas}]
        topic = {
            "name": name, "num_partitions": -1, "replication_factor": -1, "assignments": rows, "configs": configs
        }  # fmt: skip
        self.ask("CreateTopics", 7, topics=[topic], timeout_ms=30000)

    def reassign(self, name: str, number: int, replicas: Sequence[int]) -> None:
        rows = [{"partition_index": number, "replicas": list(replicas)}]
        self.ask("AlterPartitionReassignments", 1, topics=[{"name": name, "partitions": rows}])

    def partitions(self, *names: str) -> list[PartitionRegistration]:
        topics = self._log.image.topics.by_name
        return [partition for name in names for partition in topics[name].partitions.values()]

    def are_active(self, *broker_ids: int) -> bool:
        """Whether these and no others serve."""
        brokers = self._log.image.cluster.brokers.values()
        return {broker.broker_id for broker in brokers if broker.is_active} == set(broker_ids)

    def are_whole(self, *names: str) -> bool:
        return all(set(partition.isr) == set(partition.replicas) for partition in self.partitions(*names))


def tell(nodes: Nodes) -> None:
    """Start, create, kill, start again, move, elect, stop, start again, stop all."""
    cluster = nodes.cluster
    nodes.until("start", lambda: nodes.are_active(1, 2, 3))
    nodes.create("three", [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 3, 2]], "2")
    nodes.create("two", [[3, 1], [1, 3], [2, 1]], "1")
    nodes.create("one", [[2], [3]], "1")
    here = ("three", "two", "one")
    nodes.until("topics, and where broker 3 has them", lambda: all(_is_placed(row) for row in nodes.partitions(*here)))
    cluster.kill(2)
    nodes.until("broker 2 is killed", lambda: nodes.are_active(1, 3))
    cluster.start([2])
    nodes.until("broker 2 comes back", lambda: nodes.are_active(1, 2, 3) and nodes.are_whole(*here))
    nodes.ask("ElectLeaders", 2, election_type=0, topic_partitions=None, timeout_ms=30000)
    nodes.until("preferred leaders", lambda: all(row.leader == row.replicas[0] for row in nodes.partitions(*here)))
    nodes.reassign("two", 0, [2, 1])
    nodes.reassign("two", 1, [1, 2, 3])
    nodes.reassign("one", 0, [1])
    nodes.until("moved", lambda: not any(_is_moving(row) for row in nodes.partitions("two", "one")))
    cluster.stop([3])
    nodes.until("broker 3 stops", lambda: nodes.are_active(1, 2))
    cluster.start([3])
    nodes.until("broker 3 comes back", lambda: nodes.are_active(1, 2, 3) and nodes.are_whole(*here))
    topics = [{"name": "two", "topic_id": bytes(16)}]
    nodes.ask("DeleteTopics", 6, topics=topics, timeout_ms=30000)
    cluster.stop([1, 2, 3])
    nodes.until("all stop", nodes.are_active)


def _is_placed(partition: PartitionRegistration) -> bool:
    return all(directory[:15] != bytes(15) for directory in partition.directories)


def _is_moving(partition: PartitionRegistration) -> bool:
    return bool(partition.adding_replicas or partition.removing_replicas)


def record_nodes() -> list[Json]:
    """The steps, played now."""
    cluster = KafkaCluster(3, SETTINGS, controllers=1)
    third = cluster.nodes[3]
    third.properties["log.dirs"] += f",{third.directory / 'data-1'}"
    with cluster:
        nodes = Nodes(cluster)
        tell(nodes)
        return nodes.steps
