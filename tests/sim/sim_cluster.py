"""Real nodes on simulated machines: started, killed, cut off from power, frozen, and started again.

A machine keeps its disk and the skew of its clock over all lives of its node; everything else ends with a life.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Mapping
from typing import Any

from klamm.kproto.errors import KafkaError
from klamm.log.io_thread import IoThread
from klamm.seams import SeededEntropy
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config.profiles import TEST
from klamm.server.node import Node
from tests.sim.sim_disk import SimDisk, SimIo
from tests.sim.sim_loop import START_MS, Owner, SimClock, SimLoop
from tests.sim.sim_network import SimNetwork

BROKER_PORT, CONTROLLER_PORT = 9092, 9093
CLUSTER_ID = "c2ltdWxhdGVkLWtsYW1tMQ"
DATA = "/data"

SETTINGS = {
    "log.dirs": DATA,
    "offsets.topic.num.partitions": "2",
    "num.recovery.threads.per.data.dir": "1",
    "auto.create.topics.enable": "false",
    "group.min.session.timeout.ms": "1000",
    "log.index.interval.bytes": "300",
    "log.flush.offset.checkpoint.interval.ms": "3000",
    "replica.high.watermark.checkpoint.interval.ms": "2000",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "replica.lag.time.max.ms": "3000",
    "controller.quorum.retry.backoff.ms": "100",
    "log.retention.check.interval.ms": "10000",
}


BROKER, CONTROLLER = "broker", "controller"
COMBINED = f"{BROKER},{CONTROLLER}"

Layout = Mapping[int, str]
"""Node ids and the roles of each node."""


class Machine:
    """One node and what is under it. `node` is the running one, None between two lives."""

    def __init__(self, cluster: SimCluster, node_id: int, roles: str, settings: Mapping[str, str]) -> None:
        self.cluster, self.node_id, self.name = cluster, node_id, f"n{node_id}"
        self.is_broker, self.is_controller = BROKER in roles, CONTROLLER in roles
        draw = cluster.random
        self.disk = SimDisk(
            cluster.seed * 31 + node_id, is_ordered=draw.random() < 0.5, delay_ms=draw.choice((0.2, 2.0, 20.0))
        )
        self.disk.on_second_vote = lambda votes: cluster.fail(f"I9: {self.name} has voted {votes}")
        self.clock = SimClock(cluster.loop, skew_ms=draw.choice((0, 0, -70_000, 5_000)), speed=draw.uniform(0.99, 1.01))
        self.host = cluster.network.host(self.name)
        self.config = BrokerConfig.load(profile=TEST, overrides=settings, environ={"CLUSTER_ID": CLUSTER_ID})
        self.lives = 0
        self.node: Node | None = None
        self.owner: Owner | None = None
        self.is_serving = self.is_stopping = False
        self.failure: str | None = None

    @property
    def is_running(self) -> bool:
        return self.owner is not None

    @property
    def is_frozen(self) -> bool:
        return self.owner is not None and self.owner.is_frozen

    def _new_io(self, _name: str, _threads: int) -> IoThread:
        assert self.owner is not None
        return SimIo(self.cluster.loop, self.owner, lambda: self.disk.delay_ms)

    def start(self) -> None:
        """Begin a life, if there is none; it serves some time later."""
        if self.owner is not None:
            return
        self.cluster.note("start", self.name)
        self.lives += 1
        self.host.is_up = True
        self.owner = self.host.owner = self.cluster.new_owner(f"{self.name}.{self.lives}")
        self.owner.spawn(self._live())

    async def _live(self) -> None:
        cluster = self.cluster
        node = self.node = Node(
            self.config,
            disk=self.disk,
            clock=self.clock,
            network=cluster.network.of(self.name),
            entropy=SeededEntropy(cluster.seed * 1009 + self.node_id * 101 + self.lives),
            new_io=self._new_io,
        )
        try:
            await node.start()
        except Exception as error:
            cluster.note("does not start", self.name, repr(error))
            cluster.fail(f"I11: {self.name} does not start: {error!r}", error)
            return
        self.is_serving = True
        cluster.note("serves", self.name)
        reason = await node.failed
        cluster.note("gives up", self.name, reason)
        self.failure = reason
        await node.halt()
        self._end()
        self.disk.process_kill()
        cluster.network.process_ended(self.host)

    def _end(self) -> None:
        assert self.owner is not None
        self.owner.die()
        self.owner = self.node = None
        self.is_serving = self.is_stopping = False

    def kill(self) -> None:
        """SIGKILL: what was written stays."""
        if self.owner is not None:
            self.cluster.note("kill", self.name)
            self._end()
            self.disk.process_kill()
            self.cluster.network.process_ended(self.host)

    def cut_power(self) -> None:
        """What was not synced is lost or torn, and nobody is told."""
        if self.owner is not None:
            self.cluster.note("power cut", self.name)
            self._end()
            self.disk.power_cut()
            self.cluster.network.machine_stopped(self.host)

    def freeze(self) -> None:
        if self.owner is not None:
            self.cluster.note("freeze", self.name)
            self.owner.freeze()

    def thaw(self) -> None:
        if self.owner is not None and self.owner.is_frozen:
            self.cluster.note("thaw", self.name)
            self.owner.thaw()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        owner, node = self.owner, self.node
        if owner is None or node is None or not self.is_serving or owner.is_frozen or self.is_stopping:
            return
        self.is_stopping = True
        self.cluster.note("stop", self.name)
        stopping = owner.spawn(node.stop())
        await asyncio.wait([stopping], timeout=30)
        if self.owner is not owner:
            return
        if stopping.done() and (error := stopping.exception()) is not None and not isinstance(error, KafkaError):
            self.cluster.loop.errors.append(f"{self.name} did not stop: {error!r}")
        self.cluster.note("stopped", self.name, stopping.done())
        self._end()
        self.disk.process_kill()
        self.cluster.network.process_ended(self.host)


class SimCluster:
    """The machines of a layout on one loop. `log` is what happened, for people; it follows from the seed."""

    def __init__(self, seed: int, layout: Layout, settings: Mapping[str, str] | None = None) -> None:
        self.seed = seed
        self.loop = SimLoop(seed)
        self.random = random.Random(seed ^ 0x5EED)
        self.network = SimNetwork(self.loop)
        self.log: list[str] = []
        self.is_traced = False
        self.failures: list[str] = []
        """What must not be; the run ends with the first."""
        self._producer_ids: set[int] = set()
        self.machines = {
            node_id: Machine(self, node_id, roles, {**SETTINGS, **_of_node(node_id, layout), **(settings or {})})
            for node_id, roles in layout.items()
        }

    def new_owner(self, name: str) -> Owner:
        return Owner(self.loop, name)

    def note(self, *what: Any) -> None:
        self.network.note(*what)
        line = f"@{self.loop.now_ms / 1000:.3f} {' '.join(map(str, what))}"
        self.log.append(line)
        if self.is_traced:
            print(line)

    def fail(self, what: str, error: BaseException | None = None) -> None:
        self.failures.append(what)
        if self.is_traced and error is not None:
            traceback.print_exception(error)

    def new_producer_id(self, producer_id: int) -> None:
        if producer_id in self._producer_ids:
            self.fail(f"producer id {producer_id} was given twice")
        self._producer_ids.add(producer_id)

    @property
    def starts(self) -> int:
        """How many lives there have been."""
        return sum(machine.lives for machine in self.machines.values())

    @property
    def time_ms(self) -> int:
        return int(START_MS + self.loop.now_ms)

    @property
    def brokers(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.is_broker]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where clients may ask."""
        return [(machine.name, BROKER_PORT) for machine in self.brokers]


def _of_node(node_id: int, layout: Layout) -> dict[str, str]:
    name = f"n{node_id}"
    controllers = [n for n, roles in layout.items() if CONTROLLER in roles]
    brokers = sum(BROKER in roles for roles in layout.values())
    listeners = [f"PLAINTEXT://{name}:{BROKER_PORT}"] * (BROKER in layout[node_id])
    listeners += [f"CONTROLLER://{name}:{CONTROLLER_PORT}"] * (CONTROLLER in layout[node_id])
    settings = {
        "node.id": str(node_id),
        "process.roles": layout[node_id],
        "listeners": ",".join(listeners),
        "controller.listener.names": "CONTROLLER",
        "offsets.topic.replication.factor": str(min(brokers, 3)),
        "default.replication.factor": str(min(brokers, 3)),
        "min.insync.replicas": "2" if brokers >= 3 else "1",
    }
    if len(layout) > 1:
        settings["controller.quorum.voters"] = ",".join(f"{n}@n{n}:{CONTROLLER_PORT}" for n in controllers)
    else:
        settings["controller.quorum.bootstrap.servers"] = f"{name}:{CONTROLLER_PORT}"
    return settings
