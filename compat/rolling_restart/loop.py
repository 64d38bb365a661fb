"""The restarts: load, each node in turn is told to stop and started again; and nothing but time may have been lost."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from compat.cluster import ClusterTarget
from compat.cluster_kill.loaded_cluster import GROUP, LoadedCluster
from compat.kill_loop.load import KafkaPythonGroup, LibrdkafkaGroup

OTHER_GROUP = "group-kafka-python"


# librdkafka leaves these of a commit to its user, on real Kafka too: the coordinator has moved, and loads.
_TO_BE_COMMITTED_AGAIN = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)


class _LibrdkafkaReader(LibrdkafkaGroup):
    def told(self, error: object) -> None:
        if not isinstance(error, KafkaException) or error.args[0].code() not in _TO_BE_COMMITTED_AGAIN:
            self.ledger.violate(f"{self.name}: {error!r}")


class _KafkaPythonReader(KafkaPythonGroup):
    def told(self, error: object) -> None:
        self.ledger.violate(f"{self.name}: {error!r}")


@dataclass
class Restart:
    """Times in ms. `stop`, `start`: until the process has ended, and until it serves; `full_isr`: from then on;
    `pause`: the longest time without an answered write in all of it."""

    node: int
    stop_ms: int
    start_ms: int
    full_isr_ms: int
    pause_ms: int
    read: int
    violations: int


class RollingRestart:
    """One run against one cluster, which is running."""

    def __init__(self, cluster: ClusterTarget, *, rate: int) -> None:
        self.cluster = cluster
        self.loaded = LoadedCluster(
            cluster,
            rate,
            [
                partial(_LibrdkafkaReader, group=GROUP),
                partial(_KafkaPythonReader, group=OTHER_GROUP),
            ],
        )
        self.ledger = self.loaded.ledger
        self.restarts: list[Restart] = []

    def run(self, times: int = 1) -> None:
        self.loaded.start()
        print("node  stop ms  start ms  full ISR ms  pause of writes ms   read  violations")
        for node_id in [node.node_id for node in self.cluster.brokers] * times:
            done = self._restart(node_id)
            self.restarts.append(done)
            print(
                f"{done.node:4}  {done.stop_ms:7}  {done.start_ms:8}  {done.full_isr_ms:11}  {done.pause_ms:18}"
                f"  {done.read:5}  {done.violations:10}"
            )
            sys.stdout.flush()
        self.loaded.stop_and_compare()

    def totals(self) -> dict[str, Any]:
        return {
            "sent": self.ledger.sent,
            "acknowledged": self.ledger.acknowledged,
            "commits": {group: self.ledger.commits(group) for group in (GROUP, OTHER_GROUP)},
            "late": self.loaded.late,
            "violations": self.ledger.violations,
            "restarts": [asdict(done) for done in self.restarts],
        }

    def _restart(self, node_id: int) -> Restart:
        self.loaded.await_load()
        node = self.cluster.nodes[node_id]
        promised = self.ledger.committed(GROUP)
        addresses = [broker.bootstrap for broker in self.cluster.brokers]
        began = time.monotonic()
        self.ledger.mark()
        self.cluster.stop([node_id])
        ended = time.monotonic()
        self.cluster.start([node_id])
        started = time.monotonic()
        full = self.loaded.await_full_isr(addresses, started, f"restart of {node.name}")
        pause_s = self.loaded.probes.longest_pause_s(began, full)  # before the probes forget it
        self.loaded.await_writable(full, f"restart of {node.name}")
        read = self.loaded.compare(promised, node.name)
        return Restart(
            node_id, round((ended - began) * 1000), round((started - ended) * 1000), round((full - started) * 1000),
            round(pause_s * 1000), read, len(self.ledger.violations),
        )  # fmt: skip
