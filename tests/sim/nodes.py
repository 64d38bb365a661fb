"""Whole nodes on virtual time: `python -m tests.sim.nodes --seeds 1000 --from 0` runs so many and prints the time.

Each seed is a cluster with its own settings, links and disks, clients that produce, read, commit and administer, and
faults (`sim_faults.py`). What clients were promised is checked as they go and at the end, when the faults have
stopped: everything must work again within WRITABLE_MS, and every replica have the same. A failing seed is printed, and
joins `seeds.toml`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from tests.sim import sim_admin, sim_consumer, sim_faults
from tests.sim.nodes_plants import PLANTS, planted
from tests.sim.sim_admin import Admin
from tests.sim.sim_client import Client, NotNow
from tests.sim.sim_cluster import BROKER, BROKER_PORT, COMBINED, CONTROLLER, Layout, SimCluster
from tests.sim.sim_consumer import Member
from tests.sim.sim_disk import small_sizes
from tests.sim.sim_faults import Faults
from tests.sim.sim_history import History, Key, Violation
from tests.sim.sim_loop import Stuck
from tests.sim.sim_producer import Producer, all_ended
from tests.sim.sim_watch import Watch

CHAOS_MS = 12_000
STARTED_MS = 30_000
WRITABLE_MS = 30_000
SETTLED_MS = 60_000
IN_SYNC_MS = 40_000
GROUP = "readers"


class World:
    """One seed: the cluster, its clients and its faults."""

    def __init__(
        self,
        seed: int,
        layout: Layout | None = None,
        more_settings: Mapping[str, str] | None = None,
        *,
        is_traced: bool = False,
    ) -> None:
        draw = self.random = random.Random(seed)
        self.seed = seed
        self.layout = layout or LAYOUTS[draw.choice(DRAWN)]
        brokers = [node_id for node_id, roles in self.layout.items() if BROKER in roles]
        self.is_synced = draw.random() < 0.5
        """Whether everything is synced before it is answered, so that cuts of the power may come at any time."""
        settings = {"log.flush.interval.messages": "1"} if self.is_synced else {}
        election_ms = draw.choice((1000, 1000, 100))
        settings["controller.quorum.election.timeout.ms"] = str(election_ms)
        settings["controller.quorum.fetch.timeout.ms"] = str(election_ms + 1000)
        settings["controller.quorum.election.backoff.max.ms"] = str(election_ms)
        self.cluster = SimCluster(seed, self.layout, {**settings, **(more_settings or {})})
        self.cluster.is_traced = is_traced
        self.history = History()
        self.watch = Watch(self.cluster)
        self.cluster.controller_id = lambda: self.watch.controller_id() or 1 + seed % len(self.layout)
        self.faults = Faults(self.cluster, self.history, is_synced=self.is_synced)
        self.replication_factor = min(len(brokers), 3)
        self.keys: list[Key] = [("t", index) for index in range(draw.choice((1, 2, 3)))]
        self.clients = [Client(self.cluster, self.history, f"c{n}") for n in range(1, 3)]
        self.producers: list[Producer] = []
        self._tasks: list[asyncio.Task[Any]] = []

    def run(self) -> None:
        """Raises Violation."""
        loop = self.cluster.loop
        with small_sizes(), self.watch.quorum():
            try:
                loop.run_until_complete(self._run())
            except Stuck as stuck:
                raise Violation(str(stuck)) from None
            finally:
                loop.close()

    async def _run(self) -> None:
        cluster = self.cluster
        cluster.note("seed", self.seed, "nodes", dict(self.layout), "synced", self.is_synced)
        for machine in cluster.machines.values():
            machine.start()
        await self._within(STARTED_MS, "the topic is not there", self._guarded(self._create()))
        producing = self._begin()
        kinds = tuple(kind for kind in sim_faults.KINDS if self._may_happen(kind))
        names = [client.name for client in self.clients]
        until_ms = cluster.loop.now_ms + CHAOS_MS
        plan = sim_faults.plan(self.random, list(cluster.machines), names, kinds, until_ms)
        running = asyncio.ensure_future(self.faults.run(plan))
        await self._watch_until(until_ms)
        running.cancel()
        await self.faults.heal()
        self.history.is_lossy = False if self.history.era == 0 else self.history.is_lossy
        for producer in self.producers:
            producer.is_ending = True
        self.admin.is_ending = True
        await self._within(WRITABLE_MS, "I10: not everything is acknowledged", all_ended(producing, WRITABLE_MS))
        await self._judge()

    def _may_happen(self, kind: str) -> bool:
        # Without syncs a cut of the power may lose what was answered, if it meets all of the ISR.
        return kind != sim_faults.POWER or self.is_synced or len(self.layout) == 1

    async def _create(self) -> None:
        configs = {"retention.ms": "-1", "internal.segment.bytes": str(self.random.choice((6000, 20000, 1 << 20)))}
        await sim_admin.create_topic(self.clients[0], "t", len(self.keys), self.replication_factor, configs)

    def _begin(self) -> list[asyncio.Task[Any]]:
        """Let the clients work; gives the tasks of the producers."""
        draw = self.random
        producing = []
        for key in self.keys:
            for n in range(draw.choice((1, 2))):
                client = draw.choice(self.clients)
                producer = Producer(
                    client,
                    key,
                    f"p{n}-{key[1]}",
                    is_idempotent=draw.random() < 0.8,
                    window=draw.choice((1, 3, 5)),
                    pause_ms=draw.choice((30, 100, 300)),
                )
                self.producers.append(producer)
                producing.append(self._spawn(client, producer.run()))
            client = draw.choice(self.clients)
            self._spawn(client, sim_consumer.read_on(client, key))
        for client in self.clients:
            self._spawn(client, Member(client, GROUP, self.keys).run())
        client = draw.choice(self.clients)
        self.admin = Admin(client, self.replication_factor)
        self._spawn(client, self.admin.run())
        return producing

    def _spawn(self, client: Client, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = client.owner.spawn(self._guarded(work))
        self._tasks.append(task)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except Violation as violation:
            self.cluster.fail(str(violation))
        except Exception as error:
            self.cluster.fail(f"a client ends with {error!r}", error)
        return None

    def _check(self) -> None:
        self.watch.look()
        cluster = self.cluster
        for error in cluster.loop.errors:
            cluster.fail(f"nobody has taken care of this: {error}")
        if cluster.failures:
            raise Violation(cluster.failures[0])

    async def _watch_until(self, until_ms: float) -> None:
        while self.cluster.loop.now_ms < until_ms:
            await asyncio.sleep(0.05)
            self._check()

    async def _within(self, ms: float, otherwise: str, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        deadline_ms = self.cluster.loop.now_ms + ms
        while not task.done():
            await asyncio.sleep(0.05)
            self._check()
            if self.cluster.loop.now_ms > deadline_ms:
                raise Violation(f"{otherwise} after {ms / 1000:.0f} s")
        self._check()
        if task.result() is False:
            raise Violation(otherwise)

    # -- at the end --

    async def _judge(self) -> None:
        judge = Client(self.cluster, self.history, "judge")
        await self._within(SETTLED_MS, "the log cannot be read", self._guarded(self._judge_logs(judge)))
        await self._within(SETTLED_MS, "metadata is not what was answered", self._guarded(self._judge_metadata(judge)))
        self.watch.compare_metadata()
        self.watch.compare_replicas()
        self.history.counts["snapshots of the metadata fetched"] += self.watch.snapshots_fetched
        self._check()

    async def _judge_logs(self, judge: Client) -> None:
        for key in self.keys:
            while True:
                try:
                    rows = await sim_consumer.read_all(judge, key)
                    break
                except NotNow:
                    await judge.rest()
            ledger = self.history.ledger(key)
            ledger.judge(rows)
            self.history.counts["holes"] += ledger.holes
            self.history.counts["records at the end"] += len(rows)

    async def _judge_metadata(self, judge: Client) -> None:
        """Every broker comes to tell what was answered."""
        deadline_ms = self.cluster.loop.now_ms + IN_SYNC_MS
        for machine in self.cluster.brokers:
            while True:
                try:
                    difference = self.watch.missing_in_sync() or await sim_admin.judge(
                        judge, (machine.name, BROKER_PORT)
                    )
                except NotNow:
                    difference = "no answer"
                if difference is None:
                    break
                if self.cluster.loop.now_ms > deadline_ms:
                    raise Violation(difference)
                await judge.rest()

    @property
    def digest(self) -> tuple[int, int, int]:
        """What two runs of one seed must have in common."""
        return self.cluster.network.digest, self.cluster.loop.steps, self.cluster.network.delivered_bytes


LAYOUTS: dict[str, Layout] = {
    "1": {1: COMBINED},
    "3": dict.fromkeys((1, 2, 3), COMBINED),
    "1+3": {1: CONTROLLER, 2: BROKER, 3: BROKER, 4: BROKER},
    "5+1": {**dict.fromkeys((1, 2, 3, 4, 5), CONTROLLER), 6: BROKER},
    "3+2": {1: CONTROLLER, 2: CONTROLLER, 3: CONTROLLER, 4: BROKER, 5: BROKER},
}
"""Combined nodes, or controllers + brokers."""
DRAWN = ("1", "3", "3", "1+3", "3+2", "5+1")
"""What a seed takes one of."""


SNAPSHOTS = {
    "metadata.log.max.record.bytes.between.snapshots": "3000",
    "metadata.max.retention.bytes": "6000",
    "controller.quorum.fetch.snapshot.max.bytes": "1500",
}
"""Snapshots of the metadata all the time, and hardly a log behind them: who was away gets one, in pieces."""


def run(
    seed: int,
    layout: Layout | None = None,
    more_settings: Mapping[str, str] | None = None,
    *,
    is_traced: bool = False,
) -> World:
    """One history. Raises Violation."""
    was_enabled = gc.isenabled()
    gc.disable()  # when what is collected must not follow from what ran before
    try:
        world = World(seed, layout, more_settings, is_traced=is_traced)
        world.run()
        return world
    finally:
        if was_enabled:
            gc.enable()


def failing(
    seeds: Iterable[int], layout: Layout | None = None, more_settings: Mapping[str, str] | None = None
) -> tuple[int, str] | None:
    """The first seed that fails, and how."""
    for seed in seeds:
        try:
            run(seed, layout, more_settings)
        except Violation as error:
            return seed, str(error)
        gc.collect()
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.nodes", description="simulate whole nodes")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--layout", choices=LAYOUTS, help="these nodes, whatever the seed says")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="break the nodes on purpose: it must be found out")
    parser.add_argument("--snapshots", action="store_true", help="snapshots of the metadata all the time")
    parser.add_argument("--trace", action="store_true", help="print what happens, and what the nodes log")
    options = parser.parse_args()
    logging.basicConfig(format="%(name)s %(message)s", level=logging.INFO if options.trace else logging.CRITICAL + 1)
    began = time.perf_counter()
    with planted(options.plant) if options.plant else nullcontext():
        failed = _run_all(options)
    took = time.perf_counter() - began
    print(f"{options.seeds} seeds in {took:.1f} s ({options.seeds / took:.2f} a second), {failed} failed")
    return 1 if failed else 0


def _run_all(options: argparse.Namespace) -> int:
    """Run the seeds that are asked for, and print what happened in them; how many have failed."""
    failed, virtual_ms = 0, 0.0
    counts: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.seeds):
        try:
            settings = SNAPSHOTS if options.snapshots else {}
            world = run(seed, LAYOUTS.get(options.layout), settings, is_traced=options.trace)
        except Exception as error:
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
            if options.trace or not isinstance(error, Violation):
                traceback.print_exc()
            continue
        counts += world.history.counts
        virtual_ms += world.cluster.loop.now_ms
        gc.collect()
    for what, count in sorted(counts.items()):
        print(f"{count:8}  {what}")
    print(f"{virtual_ms / 1000:.0f} s of the nodes' own time")
    return failed


if __name__ == "__main__":
    sys.exit(main())
