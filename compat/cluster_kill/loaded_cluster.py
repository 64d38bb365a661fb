"""A cluster of three brokers or more under load, with the ledger of what it has promised.

Two idempotent producers with acks=all, a group that commits, and probes that tell when partitions can be written to.
The faults, and what is asked after each, are others' business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.cluster import ClusterTarget
from compat.cluster_kill.probe import Probes
from compat.cluster_kill.replicas import differences
from compat.cluster_kill.timed_ledger import TimedLedger
from compat.cluster_kill.wire import view, wait_until
from compat.kill_loop.asking import Asking, wait_for
from compat.kill_loop.ledger import Ledger, Reading
from compat.kill_loop.load import KafkaPythonProducer, LibrdkafkaGroup, LibrdkafkaProducer, Worker

TOPIC, PROBED = "kill-loop", "probed"
GROUP = "group-librdkafka"
PARTITIONS = 6
REPLICAS, IN_SYNC_MIN = 3, 2

WRITABLE_MS_MAX = 5_000
FULL_ISR_MS_MAX = 30_000
GIVE_UP_S = 120.0
ACKNOWLEDGED_MIN = 500

# Kafka waits 9 s before it takes a silent broker for dead, and 2 s for a silent controller: too long to be writable
# again within 5 s. Both sides get these.
SETTINGS: Mapping[str, str] = {
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.election.backoff.max.ms": "500",
    "offsets.topic.num.partitions": "5",
    "group.initial.rebalance.delay.ms": "0",
}
# A stopped node keeps its connections: a client that waits 30 s for an answer cannot go on before that.
LIBRDKAFKA = {"socket.timeout.ms": 2500}
KAFKA_PYTHON = {"request_timeout_ms": 2500}


Joining = Callable[[Ledger, str, str], Worker]
"""Makes a group's only member, of a ledger, bootstrap servers and a topic."""


class LoadedCluster:
    """The cluster is running. `start`, faults and questions, `stop_and_compare`."""

    def __init__(self, cluster: ClusterTarget, rate: int, groups: Sequence[Joining] | None = None) -> None:
        """`rate`: records a second, of both producers together. `groups`: who reads and commits; by default one of
        librdkafka.
        """
        self.cluster = cluster
        self.ledger = TimedLedger(PARTITIONS)
        self.late: list[str] = []
        """What took longer than it may; no promise is broken by that."""
        self._reading = Reading()
        self._create_topics()
        where = (cluster.bootstrap, TOPIC)
        self._asking = Asking(*where, self.ledger)
        self.probes = Probes(cluster.bootstrap, PROBED, range(PARTITIONS // 2))
        self._producers: list[Worker] = [
            LibrdkafkaProducer(self.ledger, *where, rate - rate // 4, LIBRDKAFKA),
            KafkaPythonProducer(self.ledger, *where, rate // 4, KAFKA_PYTHON),
        ]
        self._groups: list[Worker] = [
            join(self.ledger, *where) for join in groups or [partial(LibrdkafkaGroup, group=GROUP, more=LIBRDKAFKA)]
        ]

    def start(self) -> None:
        for worker in self._producers + self._groups:
            worker.start()
        self.probes.start()

    def await_load(self) -> int:
        """Wait for some acknowledgements; how many there were before."""
        before = self.ledger.acknowledged
        wait_for(lambda: self.ledger.acknowledged >= before + ACKNOWLEDGED_MIN, "acknowledgements", self.ledger)
        return before

    def await_writable(self, since: float, when: str) -> float:
        """The moment at which every partition had taken a write that began after `since`."""
        if not wait_until(lambda: self.probes.served_after(since) is not None, GIVE_UP_S):
            raise TimeoutError(f"{when}: not writable within {GIVE_UP_S} s; violations: {self.ledger.violations}")
        writable = self.probes.served_after(since)
        assert writable is not None
        if (took_ms := round((writable - since) * 1000)) > WRITABLE_MS_MAX:
            self.late.append(f"{when}: writable after {took_ms} ms")
        return writable

    def await_full_isr(self, addresses: list[str], since: float, when: str) -> float:
        """The moment at which each of the brokers at `addresses` saw all replicas in sync."""
        brokers = [broker.node_id for broker in self.cluster.brokers]

        def is_whole(address: str) -> bool:
            seen = view([address])
            return seen is not None and seen.is_whole(brokers)

        if not wait_until(lambda: all(map(is_whole, addresses)), GIVE_UP_S):
            raise TimeoutError(f"{when}: no full ISR within {GIVE_UP_S} s: {view(addresses)}")
        full = time.monotonic()
        if (took_ms := round((full - since) * 1000)) > FULL_ISR_MS_MAX:
            self.late.append(f"{when}: full ISR after {took_ms} ms")
        return full

    def compare(self, promised: Mapping[int, int], at_fault: str) -> int:
        """Wait until both libraries go on, and hold the cluster's answers against the ledger; records read.

        `promised`: what the group had committed before the fault. A node that died by itself is the end.
        """
        wait_for(lambda: None not in self.ledger.went_on_ms().values(), "records of every producer", self.ledger)
        for node in self.cluster.nodes.values():
            if node.has_died:
                raise RuntimeError(f"{node.name} has died, {at_fault} was at fault:\n{node.log_tail()}")
        self._asking.check_committed(GROUP, promised)
        return self._asking.read_on(self._reading)

    def stop_and_compare(self) -> None:
        """Flush the load, then compare everything: the log from its first offset, committed offsets, and replicas."""
        for worker in self._producers + self._groups:
            worker.stop()
        self.probes.stop()
        self._asking.read_all()
        self._asking.check_committed(GROUP, self.ledger.committed(GROUP))
        self.cluster.stop()
        for difference in differences(self.cluster, TOPIC):
            self.ledger.violate(difference)

    def _create_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap})
        config = {"min.insync.replicas": str(IN_SYNC_MIN)}
        wanted = [
            NewTopic(TOPIC, PARTITIONS, REPLICAS, config=config),
            NewTopic(PROBED, PARTITIONS // 2, REPLICAS, config=config),
        ]
        for done in admin.create_topics(wanted).values():
            done.result(30)


def spread(times: list[int]) -> dict[str, int]:
    """Minimum, median, 90th percentile and maximum."""
    ordered = sorted(times)
    at = {"min": 0.0, "p50": 0.5, "p90": 0.9, "max": 1.0}
    return {"count": len(ordered)} | {
        name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] for name, share in at.items()
    }
