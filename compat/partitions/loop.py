"""The rounds: load, some nodes cannot reach others for a while, the network heals; and the questions that must be
answered as if nothing had happened. Clients reach every node all the time, also one that nobody follows any more.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from compat.cluster import ClusterTarget
from compat.cluster_kill.loaded_cluster import GROUP, SETTINGS, LoadedCluster, spread
from compat.cluster_kill.wire import active_controller
from compat.partitions.metadata_load import NAMES, Changer, History, look
from compat.partitions.network import Lost, Network, between

DURATION_S = (3.0, 12.0)
# With Kafka's 30 s a follower that is cut from its leader alone would hold up writes for as long.
PARTITION_SETTINGS: Mapping[str, str] = {**SETTINGS, "replica.lag.time.max.ms": "5000"}

Cut = Callable[[int, Sequence[int]], list[Lost]]
"""One node and the others -> the packets that get lost."""


def _isolated(node: int, others: Sequence[int]) -> list[Lost]:
    return between([node], others) + between(others, [node])


def _mute(node: int, others: Sequence[int]) -> list[Lost]:
    return between([node], others)


def _deaf(node: int, others: Sequence[int]) -> list[Lost]:
    return between(others, [node])


def _without_controllers(node: int, others: Sequence[int]) -> list[Lost]:
    return [lost for lost in between([node], others) if lost.to_controller]


def _two_apart(node: int, others: Sequence[int]) -> list[Lost]:
    return _isolated(node, others[:1])


ISOLATED, LEADER_ALONE = "isolated", "leader alone"
CUTS: Mapping[str, Cut] = {
    ISOLATED: _isolated,
    LEADER_ALONE: _isolated,
    "mute": _mute,
    "deaf": _deaf,
    "without controllers": _without_controllers,
    "two apart": _two_apart,
}
"""Which packets get lost. `leader alone` is the active controller; `without controllers` is another broker."""


@dataclass
class Round:
    """Times in ms. `writable` is from the cut on, and may have had to wait for the healing; the others from that."""

    number: int
    cut: str
    node: int
    was_controller: bool
    lasted_ms: int
    acknowledged: int
    writable_ms: int
    writable_healed_ms: int
    full_isr_ms: int
    producers_ms: dict[str, int | None]
    operations: int
    answered: int
    read: int
    violations: int


class Partitioner:
    """One run of the loop against one cluster, which is running in `network`."""

    def __init__(self, cluster: ClusterTarget, network: Network, *, seed: int, rate: int) -> None:
        self.cluster = cluster
        self.network = network
        self.loaded = LoadedCluster(cluster, rate)
        self.ledger = self.loaded.ledger
        self.rounds: list[Round] = []
        self._entropy = random.Random(seed)

    def run(self, rounds: int, cuts: Sequence[str] = tuple(CUTS)) -> None:
        self.loaded.start()
        print("round  cut                  node  lasted ms  acked  writable ms  healed: writable ms  full ISR ms"
              "  operations  answered   read  violations")  # fmt: skip
        for number in range(1, rounds + 1):
            done = self._round(number, self._entropy.choice(list(cuts)))
            self.rounds.append(done)
            node = f"{done.node}{'*' if done.was_controller else ' '}"
            print(
                f"{done.number:5}  {done.cut:19}  {node:>4}  {done.lasted_ms:9}  {done.acknowledged:5}"
                f"  {done.writable_ms:11}  {done.writable_healed_ms:19}  {done.full_isr_ms:11}"
                f"  {done.operations:10}  {done.answered:8}  {done.read:5}  {done.violations:10}"
            )
            sys.stdout.flush()
        self.loaded.stop_and_compare()

    def totals(self) -> dict[str, Any]:
        return {
            "rounds": len(self.rounds),
            "sent": self.ledger.sent,
            "acknowledged": self.ledger.acknowledged,
            "commits": self.ledger.commits(GROUP),
            "metadata_operations": sum(done.operations for done in self.rounds),
            "metadata_answers": sum(done.answered for done in self.rounds),
            "late": self.loaded.late,
            "violations": self.ledger.violations,
            "times": self.times(),
            "per_round": [asdict(done) for done in self.rounds],
        }

    def times(self) -> dict[str, dict[str, int]]:
        """Distributions in ms."""
        found = {
            f"writable, {cut}": [done.writable_ms for done in self.rounds if done.cut == cut] for cut in sorted(CUTS)
        }
        found["writable after the healing"] = [done.writable_healed_ms for done in self.rounds]
        found["full ISR after the healing"] = [done.full_isr_ms for done in self.rounds]
        return {what: spread(times) for what, times in found.items() if times}

    def _round(self, number: int, cut: str) -> Round:
        before = self.loaded.await_load()
        addresses = [broker.bootstrap for broker in self.cluster.brokers]
        names = [f"made-{number}-{name}" for name in range(NAMES)]
        history = History()
        changers = [Changer(address, names, history, self._entropy.randrange(1 << 30)) for address in addresses]
        for changer in changers:
            changer.start()
        time.sleep(self._entropy.uniform(0.5, 1.5))
        controller = active_controller(addresses)
        node, others = self._who(cut, controller)
        self.network.lose(CUTS[cut](node, others))
        began = time.monotonic()
        self.ledger.mark()
        acknowledged = self.ledger.acknowledged - before
        promised = self.ledger.committed(GROUP)
        time.sleep(self._entropy.uniform(*DURATION_S))
        during = self.loaded.probes.served_after(began)
        self.network.heal()
        healed = time.monotonic()
        when = f"round {number} ({cut}), healed"
        writable_healed = self.loaded.await_writable(healed, when)
        full = self.loaded.await_full_isr(addresses, healed, when)
        for changer in changers:
            changer.stop()
        read = self.loaded.compare(promised, "the network")
        for complaint in look(addresses, names, history) + history.contradictions():
            self.ledger.violate(complaint)
        return Round(
            number, cut, node, node == controller, round((healed - began) * 1000), acknowledged,
            round(((during or writable_healed) - began) * 1000), round((writable_healed - healed) * 1000),
            round((full - healed) * 1000), self.ledger.went_on_ms(), history.size, history.answered(), read,
            len(self.ledger.violations),
        )  # fmt: skip

    def _who(self, cut: str, controller: int | None) -> tuple[int, list[int]]:
        nodes = [broker.node_id for broker in self.cluster.brokers]
        node = self._entropy.choice(nodes)
        if cut == LEADER_ALONE and controller in nodes:
            node = controller
        elif cut == "without controllers":
            node = self._entropy.choice([one for one in nodes if one != controller])
        return node, [one for one in nodes if one != node]
