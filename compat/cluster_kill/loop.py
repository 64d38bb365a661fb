"""The rounds: load, a node is killed or stopped for a while, it comes back; and the questions that must be answered as
if nothing had happened, and how long it took until everything was as before.

A killed process leaves its page cache to the system, so this is about crashes of processes, not of machines.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.cluster import ClusterTarget, NodeTarget
from compat.cluster_kill.probe import Probes
from compat.cluster_kill.replicas import differences
from compat.cluster_kill.timed_ledger import TimedLedger
from compat.cluster_kill.wire import active_controller, view, wait_until
from compat.kill_loop.asking import Asking, wait_for
from compat.kill_loop.ledger import Reading
from compat.kill_loop.load import KafkaPythonProducer, LibrdkafkaGroup, LibrdkafkaProducer, Worker

TOPIC, PROBED = "kill-loop", "probed"
GROUP = "group-librdkafka"
PARTITIONS = 6
REPLICAS, IN_SYNC_MIN = 3, 2

WRITABLE_MS_MAX = 5_000
FULL_ISR_MS_MAX = 30_000
GIVE_UP_S = 120.0
ACKNOWLEDGED_MIN = 500
AWAY_S = (0.3, 8.0)

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

KILL, PAUSE = "SIGKILL", "SIGSTOP"


@dataclass
class Round:
    """Times in ms. `writable`: from the fault until every partition takes writes; `full_isr`: from when the node is
    started again, or goes on, until all replicas are in sync; `pause_after`: the longest pause of writes meanwhile."""

    number: int
    fault: str
    node: int
    was_controller: bool
    away_ms: int
    acknowledged: int
    writable_ms: int
    pause_after_ms: int
    full_isr_ms: int
    producers_ms: dict[str, int | None]
    read: int
    violations: int


class ClusterKiller:
    """One run of the loop against one cluster of three brokers or more, which is running."""

    def __init__(
        self, cluster: ClusterTarget, *, seed: int, rate: int, faults: tuple[str, ...] = (KILL, PAUSE)
    ) -> None:
        self.cluster = cluster
        self.ledger = TimedLedger(PARTITIONS)
        self.rounds: list[Round] = []
        self.late: list[str] = []
        """What took longer than it may; no promise is broken by that."""
        self._faults = faults
        self._entropy = random.Random(seed)
        self._reading = Reading()
        self._create_topics()
        where = (cluster.bootstrap, TOPIC)
        self._asking = Asking(*where, self.ledger)
        self._probes = Probes(cluster.bootstrap, PROBED, range(PARTITIONS // 2))
        self._producers: list[Worker] = [
            LibrdkafkaProducer(self.ledger, *where, rate - rate // 4, LIBRDKAFKA),
            KafkaPythonProducer(self.ledger, *where, rate // 4, KAFKA_PYTHON),
        ]
        self._groups: list[Worker] = [LibrdkafkaGroup(self.ledger, *where, GROUP, LIBRDKAFKA)]

    def run(self, rounds: int) -> None:
        for worker in self._producers + self._groups:
            worker.start()
        self._probes.start()
        print("round  fault    node   away ms  acked  writable ms  pause after ms  full ISR ms   read  violations")
        for number in range(1, rounds + 1):
            done = self._round(number)
            self.rounds.append(done)
            node = f"{done.node}{'*' if done.was_controller else ' '}"
            print(
                f"{done.number:5}  {done.fault}  {node:>4}  {done.away_ms:8}  {done.acknowledged:5}"
                f"  {done.writable_ms:11}  {done.pause_after_ms:14}  {done.full_isr_ms:11}  {done.read:5}"
                f"  {done.violations:10}   {_producers(done)}"
            )
            sys.stdout.flush()
        self._finish()

    def totals(self) -> dict[str, Any]:
        return {
            "rounds": len(self.rounds),
            "sent": self.ledger.sent,
            "acknowledged": self.ledger.acknowledged,
            "commits": self.ledger.commits(GROUP),
            "late": self.late,
            "violations": self.ledger.violations,
            "times": self.times(),
            "per_round": [asdict(done) for done in self.rounds],
        }

    def times(self) -> dict[str, dict[str, int]]:
        """Distributions in ms. Rounds whose node was away for less than its session do not show a failover."""
        deaths = [done for done in self.rounds if done.fault == KILL]
        pauses = [done for done in self.rounds if done.fault == PAUSE]
        found = {
            "writable after SIGKILL": [done.writable_ms for done in deaths],
            "- of the active controller": [done.writable_ms for done in deaths if done.was_controller],
            "- of another node": [done.writable_ms for done in deaths if not done.was_controller],
            "writable after SIGSTOP": [done.writable_ms for done in pauses],
            "full ISR after the start": [done.full_isr_ms for done in deaths],
            "full ISR after SIGCONT": [done.full_isr_ms for done in pauses],
            "pause of writes meanwhile": [done.pause_after_ms for done in self.rounds],
        }
        for producer in sorted({name for done in self.rounds for name in done.producers_ms}):
            times = [done.producers_ms.get(producer) for done in self.rounds]
            found[f"{producer} goes on"] = [time_ms for time_ms in times if time_ms is not None]
        return {what: spread(times) for what, times in found.items() if times}

    def _create_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap})
        config = {"min.insync.replicas": str(IN_SYNC_MIN)}
        wanted = [
            NewTopic(TOPIC, PARTITIONS, REPLICAS, config=config),
            NewTopic(PROBED, PARTITIONS // 2, REPLICAS, config=config),
        ]
        for done in admin.create_topics(wanted).values():
            done.result(30)

    # -- a round

    def _round(self, number: int) -> Round:
        before = self.ledger.acknowledged
        wait_for(lambda: self.ledger.acknowledged >= before + ACKNOWLEDGED_MIN, "acknowledgements", self.ledger)
        time.sleep(self._entropy.uniform(0.2, 1.5))
        node = self._entropy.choice(list(self.cluster.nodes.values()))
        fault = self._entropy.choice(self._faults)
        away_s = self._entropy.uniform(*AWAY_S)
        others = [broker for broker in self.cluster.brokers if broker is not node]
        addresses = [broker.bootstrap for broker in others]
        was_controller = active_controller(addresses) == node.node_id
        if fault == KILL:
            node.kill()
        else:
            node.pause()
        fell = time.monotonic()
        self.ledger.mark()
        acknowledged = self.ledger.acknowledged - before
        promised = self.ledger.committed(GROUP)
        # It comes back after a while, whether the others have gone on by then or not.
        wait_until(lambda: time.monotonic() >= fell + away_s, away_s + 1, 0.01)
        back = time.monotonic()
        if fault == KILL:
            node.start()
        else:
            node.resume()
        writable = self._await_writable(fell, f"round {number}")
        full = self._await_full_isr(addresses, back, f"round {number}")
        self._ledger_goes_on()
        self._check_the_living(node)
        self._asking.check_committed(GROUP, promised)
        read = self._asking.read_on(self._reading)
        return Round(
            number, fault, node.node_id, was_controller, round((back - fell) * 1000), acknowledged,
            round((writable - fell) * 1000), round(self._probes.longest_pause_s(writable, full) * 1000),
            round((full - back) * 1000), self.ledger.went_on_ms(), read, len(self.ledger.violations),
        )  # fmt: skip

    def _await_writable(self, fell: float, when: str) -> float:
        """The moment from which every partition took writes."""
        if not wait_until(lambda: self._probes.served_after(fell) is not None, GIVE_UP_S):
            raise TimeoutError(f"{when}: not writable within {GIVE_UP_S} s; violations: {self.ledger.violations}")
        writable = self._probes.served_after(fell)
        assert writable is not None
        if (took_ms := round((writable - fell) * 1000)) > WRITABLE_MS_MAX:
            self.late.append(f"{when}: writable after {took_ms} ms")
        return writable

    def _await_full_isr(self, addresses: list[str], back: float, when: str) -> float:
        """The moment at which the others saw all replicas in sync."""
        brokers = [broker.node_id for broker in self.cluster.brokers]

        def is_whole() -> bool:
            seen = view(addresses)
            return seen is not None and seen.is_whole(brokers)

        if not wait_until(is_whole, GIVE_UP_S):
            raise TimeoutError(f"{when}: no full ISR within {GIVE_UP_S} s: {view(addresses)}")
        full = time.monotonic()
        if (took_ms := round((full - back) * 1000)) > FULL_ISR_MS_MAX:
            self.late.append(f"{when}: full ISR after {took_ms} ms")
        return full

    def _ledger_goes_on(self) -> None:
        """Wait for the libraries: each has brought a new record to each partition."""
        wait_for(lambda: None not in self.ledger.went_on_ms().values(), "records of every producer", self.ledger)

    def _check_the_living(self, node: NodeTarget) -> None:
        for other in self.cluster.nodes.values():
            if other.has_died:
                raise RuntimeError(f"{other.name} has died, {node.name} was the one at fault:\n{other.log_tail()}")

    def _finish(self) -> None:
        """Flush the load, then compare everything: the log from its first offset, committed offsets, and replicas."""
        for worker in self._producers + self._groups:
            worker.stop()
        self._probes.stop()
        self._asking.read_all()
        self._asking.check_committed(GROUP, self.ledger.committed(GROUP))
        self.cluster.stop()
        for difference in differences(self.cluster, TOPIC):
            self.ledger.violate(difference)


def spread(times: list[int]) -> dict[str, int]:
    """Minimum, median, 90th percentile and maximum."""
    ordered = sorted(times)
    at = {"min": 0.0, "p50": 0.5, "p90": 0.9, "max": 1.0}
    return {"count": len(ordered)} | {
        name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] for name, share in at.items()
    }


def _producers(done: Round) -> str:
    return ", ".join(f"{name} {time_ms}" for name, time_ms in done.producers_ms.items())
