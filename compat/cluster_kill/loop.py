"""The rounds: load, a node is killed or stopped for a while, it comes back; and the questions that must be answered as
if nothing had happened, and how long it took until everything was as before.

A killed process leaves its page cache to the system, so this is about crashes of processes, not of machines.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from compat.cluster import ClusterTarget
from compat.cluster_kill.loaded_cluster import GROUP, LoadedCluster, spread
from compat.cluster_kill.wire import active_controller

AWAY_S = (0.3, 8.0)
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
    """One run of the loop against one cluster, which is running."""

    def __init__(
        self, cluster: ClusterTarget, *, seed: int, rate: int, faults: tuple[str, ...] = (KILL, PAUSE)
    ) -> None:
        self.cluster = cluster
        self.loaded = LoadedCluster(cluster, rate)
        self.ledger = self.loaded.ledger
        self.rounds: list[Round] = []
        self._faults = faults
        self._entropy = random.Random(seed)

    def run(self, rounds: int) -> None:
        self.loaded.start()
        print("round  fault    node   away ms  acked  writable ms  pause after ms  full ISR ms   read  violations")
        for number in range(1, rounds + 1):
            done = self._round(number)
            self.rounds.append(done)
            node = f"{done.node}{'*' if done.was_controller else ' '}"
            producers = ", ".join(f"{name} {time_ms}" for name, time_ms in done.producers_ms.items())
            print(
                f"{done.number:5}  {done.fault}  {node:>4}  {done.away_ms:8}  {done.acknowledged:5}"
                f"  {done.writable_ms:11}  {done.pause_after_ms:14}  {done.full_isr_ms:11}  {done.read:5}"
                f"  {done.violations:10}   {producers}"
            )
            sys.stdout.flush()
        self.loaded.stop_and_compare()

    def totals(self) -> dict[str, Any]:
        return {
            "rounds": len(self.rounds),
            "sent": self.ledger.sent,
            "acknowledged": self.ledger.acknowledged,
            "commits": self.ledger.commits(GROUP),
            "late": self.loaded.late,
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

    def _round(self, number: int) -> Round:
        before = self.loaded.await_load()
        time.sleep(self._entropy.uniform(0.2, 1.5))
        node = self._entropy.choice(list(self.cluster.nodes.values()))
        fault = self._entropy.choice(self._faults)
        away_s = self._entropy.uniform(*AWAY_S)
        addresses = [broker.bootstrap for broker in self.cluster.brokers if broker is not node]
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
        time.sleep(max(0.0, fell + away_s - time.monotonic()))
        back = time.monotonic()
        if fault == KILL:
            node.start()
        else:
            node.resume()
        when = f"round {number}"
        writable = self.loaded.await_writable(fell, when)
        full = self.loaded.await_full_isr(addresses, back, when)
        pause_s = self.loaded.probes.longest_pause_s(writable, full)
        read = self.loaded.compare(promised, node.name)
        return Round(
            number, fault, node.node_id, was_controller, round((back - fell) * 1000), acknowledged,
            round((writable - fell) * 1000), round(pause_s * 1000), round((full - back) * 1000),
            self.ledger.went_on_ms(), read, len(self.ledger.violations),
        )  # fmt: skip
