"""A running cluster of three nodes as a side of the benchmark: topics have three replicas, CPU and memory are sums."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from compat.bench.measure import cpu_s, memory
from compat.bench.side import KAFKA_HEAP, KAFKA_JVM, OVERRIDES, Side
from compat.cluster import ClusterTarget
from compat.cluster_kill.loaded_cluster import SETTINGS
from compat.cluster_kill.wire import View, view
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster

NODES = 3
IN_SYNC_MIN = "2"
WHOLE_TIMEOUT_S = 300.0

CLUSTER_OVERRIDES: Mapping[str, str] = {**OVERRIDES, **SETTINGS}
"""With the timers of cluster_kill: Kafka's own hide everything else behind 9 s of waiting."""


def fresh_cluster(name: str, overrides: Mapping[str, str] = CLUSTER_OVERRIDES) -> ClusterTarget:
    """A cluster of "klamm" or "kafka" that is not started yet; Kafka has its default heap and the JVM's compilers."""
    if name == "klamm":
        return KlammCluster(NODES, overrides)
    return KafkaCluster(NODES, overrides, heap=KAFKA_HEAP, jvm_options=KAFKA_JVM)


class ClusterSide(Side):
    """A cluster; `at_leader` is the side as seen by the load generator, which talks to one broker."""

    replicas = NODES

    def __init__(self, cluster: ClusterTarget, loadgen: Path) -> None:
        super().__init__(cast(Any, cluster), loadgen)  # what a side asks of its one broker is overridden here
        self.cluster = cluster

    def log_tail(self) -> str:
        return "\n".join(f"--- {node.name}\n{node.log_tail(2000)}" for node in self.cluster.nodes.values())

    def cpu_s(self) -> float:
        """CPU seconds of all nodes so far."""
        return sum(cpu_s(node.pid) for node in self.cluster.nodes.values())

    def anonymous_mb(self) -> float:
        """Memory of all nodes, without pages of files."""
        return sum(memory(node.pid).anonymous_mb for node in self.cluster.nodes.values())

    def create(self, partitions: int = 1, **config: str) -> str:
        """A new topic with three replicas, all in sync; its name."""
        topic = f"bench-{next(self._numbers)}"
        self.create_named(topic, partitions, **{"min.insync.replicas": IN_SYNC_MIN, **config})
        self.await_whole(partitions, topic)
        return topic

    def await_whole(self, partitions: int, *topics: str, timeout_s: float = WHOLE_TIMEOUT_S) -> View:
        """Wait until every broker knows that many partitions of the topics, with leaders and all replicas in sync."""
        deadline = time.monotonic() + timeout_s
        waiting = [broker.bootstrap for broker in self.cluster.brokers]
        seen = None
        while waiting:
            seen = view(waiting[:1], topics or None, 30.0)
            if seen is not None and len(seen.partitions) >= partitions and seen.is_whole(self.broker_ids):
                del waiting[0]
            elif time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {topics} are not served by {waiting[0]}\n{self.log_tail()}")
            else:
                time.sleep(0.02)
        assert seen is not None
        return seen

    @property
    def broker_ids(self) -> list[int]:
        return [broker.node_id for broker in self.cluster.brokers]

    def at_leader(self, topic: str) -> ClusterSide:
        """This side with the leader of the topic's only partition as its address."""
        seen = view([broker.bootstrap for broker in self.cluster.brokers], [topic])
        assert seen is not None
        narrow = copy.copy(self)
        narrow.bootstrap = seen.addresses[seen.partitions[0].leader_id]
        return narrow
