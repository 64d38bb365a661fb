"""What happens to a cluster, as data: a plan is drawn from the seed, and carried out while clients work."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tests.sim.sim_cluster import Machine, SimCluster
    from tests.sim.sim_history import History

KILL, POWER, STOP, FREEZE, CUT, SLOW, DISK = "kill", "power", "stop", "freeze", "cut", "slow", "disk"
KINDS: Final = (KILL, KILL, POWER, STOP, FREEZE, CUT, CUT, SLOW, DISK)


class Fault(NamedTuple):
    """One thing that happens. `node_id` is whom it happens to, 0: whoever is the active controller then.

    `peers`: the hosts that a cut or slow link is to; `direction` 0 both ways, 1 only from the node, 2 only to it.
    """

    at_ms: float
    kind: str
    node_id: int
    lasts_ms: float
    peers: tuple[str, ...] = ()
    direction: int = 0


def plan(
    draw: random.Random, node_ids: list[int], clients: list[str], kinds: tuple[str, ...], until_ms: float
) -> list[Fault]:
    """The faults of a run, in order of time."""
    faults = []
    period_ms = draw.choice((400, 1200, 3000))
    at_ms = draw.uniform(200, 2000)
    while at_ms < until_ms:
        kind, node_id = draw.choice(kinds), draw.choice([0, *node_ids])
        others = [f"n{n}" for n in node_ids if n != node_id] + clients
        peers = tuple(sorted(draw.sample(others, draw.randint(1, len(others)))))
        lasts_ms = draw.choice((1, 50, 500, 2500, 6000)) * draw.uniform(0.5, 1.5)
        faults.append(Fault(at_ms, kind, node_id, lasts_ms, peers, draw.randrange(3)))
        at_ms += draw.uniform(0.2, 1.8) * period_ms
    return faults


class Faults:
    """Carries a plan out."""

    def __init__(self, cluster: SimCluster, history: History, *, is_synced: bool) -> None:
        self.cluster, self.history, self.is_synced = cluster, history, is_synced
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, faults: list[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(max(fault.at_ms / 1000 - self.cluster.loop.time(), 0))
            machine = self.cluster.machines[fault.node_id or self.cluster.controller_id()]
            self.history.counts[f"fault: {fault.kind}"] += 1
            self._tasks.append(asyncio.ensure_future(self._carry_out(fault, machine)))

    async def _carry_out(self, fault: Fault, machine: Machine) -> None:
        kind, lasts_s = fault.kind, fault.lasts_ms / 1000
        if kind == FREEZE:
            machine.freeze()
            await asyncio.sleep(lasts_s)
            machine.thaw()
        elif kind == CUT:
            await self._cut(fault, machine)
        elif kind == SLOW:
            links = {(machine.name, peer) for peer in fault.peers} | {(peer, machine.name) for peer in fault.peers}
            self.cluster.note("slow", machine.name, *fault.peers)
            self.cluster.network.slow_ms.update(dict.fromkeys(links, 80.0))
            await asyncio.sleep(lasts_s)
            for link in links:
                self.cluster.network.slow_ms.pop(link, None)
        elif kind == DISK:
            usual_ms, machine.disk.delay_ms = machine.disk.delay_ms, 400.0
            await asyncio.sleep(lasts_s)
            machine.disk.delay_ms = min(usual_ms, 20.0)
        else:
            await self._end(kind, machine)
            await asyncio.sleep(lasts_s)
            machine.start()

    async def _end(self, kind: str, machine: Machine) -> None:
        if kind == KILL:
            machine.kill()
        elif kind == STOP:
            await machine.stop()
        elif machine.is_running:
            machine.cut_power()
            if len(self.cluster.machines) == 1:
                self.history.power_was_cut(is_synced=self.is_synced)

    async def _cut(self, fault: Fault, machine: Machine) -> None:
        links = set()
        for peer in fault.peers:
            if fault.direction != 2:
                links.add((machine.name, peer))
            if fault.direction != 1:
                links.add((peer, machine.name))
        self.cluster.note("cut", machine.name, fault.direction, *fault.peers)
        self.cluster.network.cut |= links
        await asyncio.sleep(fault.lasts_ms / 1000)
        self.cluster.network.cut -= links
        self.cluster.note("joined", machine.name, *fault.peers)

    async def heal(self) -> None:
        """No fault from now on, and every node runs; done when those that were about to stop have."""
        cluster = self.cluster
        for machine in cluster.machines.values():
            machine.thaw()
        for machine in cluster.machines.values():
            while machine.is_stopping:
                await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        cluster.note("healed")
        cluster.network.cut.clear()
        cluster.network.slow_ms.clear()
        for machine in cluster.machines.values():
            machine.disk.heal()
            machine.disk.delay_ms = 1.0
            machine.start()
