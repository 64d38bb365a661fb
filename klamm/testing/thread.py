"""A cluster in this process: all its nodes on one event loop, on a thread of its own.

A node that was stopped or killed comes back to its ports and its disk, be that memory or a directory.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from klamm.testing.ports import HeldPorts

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.server.node import Node

_logger = logging.getLogger(__name__)

_TIMEOUT_S: Final = 30.0
_HOST: Final = "127.0.0.1"

_QUICK: Final[Mapping[str, str]] = {
    # The nodes share an event loop and a machine: nothing of Kafka's seconds is for a network here.
    "controller.quorum.election.timeout.ms": "60",
    "controller.quorum.election.backoff.max.ms": "60",
    "controller.quorum.fetch.timeout.ms": "500",
    "broker.heartbeat.interval.ms": "100",
    "broker.session.timeout.ms": "1000",
    "replica.lag.time.max.ms": "1000",
}
"""Settings of a cluster of several, below the user's own: how soon a node that is gone is missed."""


class _Place(NamedTuple):
    """What a node keeps over its lives."""

    settings: Mapping[str, str]
    disk: Disk


class ThreadRunner:
    """Runs the nodes on a daemon thread. Data is in memory unless there is a data directory."""

    def __init__(self, config: dict[str, str], data_dir: str | None, port: int, brokers: int) -> None:
        self._config, self._data_dir, self._port, self._brokers = config, data_dir, port, brokers
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._ports = HeldPorts(_HOST)
        self._places: dict[int, _Place] = {}
        self._nodes: dict[int, Node] = {}
        self._cluster_id = ""

    # -- from the test's thread --

    def start(self) -> dict[int, str]:
        from klamm.testing.cluster import ClusterError

        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=self._run, name="klamm-cluster", daemon=True)
        self._thread.start()
        if not self._ready.wait(_TIMEOUT_S):
            raise ClusterError(f"the cluster did not start within {_TIMEOUT_S:.0f} s")
        if self._error is not None:
            self._thread.join()
            raise ClusterError(f"the cluster did not start: {self._error}") from self._error
        return {node_id: node.bootstrap_servers for node_id, node in sorted(self._nodes.items())}

    def stop(self) -> None:
        loop, end, thread = self._loop, self._end, self._thread
        if loop is None or end is None or thread is None:
            return
        loop.call_soon_threadsafe(end.set)
        thread.join()
        self._loop = self._end = self._thread = None
        if self._error is not None:
            raise self._error

    def is_running(self, node_id: int) -> bool:
        return node_id in self._nodes

    def start_node(self, node_id: int) -> None:
        """Start a node that was stopped or killed, and wait until it serves."""
        self._do(self._start_node(node_id))

    def stop_node(self, node_id: int) -> None:
        """Stop a node in order: others lead what it has led before its clients are sent away."""
        self._do(self._nodes.pop(node_id).stop())

    def kill_node(self, node_id: int) -> None:
        """End a node as a SIGKILL would: it tells nobody, and writes nothing more."""
        self._do(self._nodes.pop(node_id).halt())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self._loop
        assert loop is not None
        asyncio.run_coroutine_threadsafe(work, loop).result(_TIMEOUT_S)

    # -- on the cluster's thread --

    def _run(self) -> None:
        from klamm.server.event_loop import new_event_loop

        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ports.release()
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._places = self._single() if self._brokers == 1 else self._several()
        try:
            await asyncio.gather(*map(self._start_node, self._places))
        except BaseException:
            await asyncio.gather(*(node.halt() for node in self._nodes.values()))
            raise
        self._ready.set()
        await self._end.wait()
        nodes, self._nodes = list(self._nodes.values()), {}
        if self._brokers > 1 and self._data_dir is None:
            # What is in memory goes with the nodes: there is nothing to hand over, and nobody to wait for.
            await asyncio.gather(*(node.halt() for node in nodes))
            return
        await asyncio.gather(*(node.leave() for node in nodes))
        await asyncio.gather(*(node.stop() for node in nodes))

    async def _start_node(self, node_id: int) -> None:
        from klamm.server.config.broker_config import BrokerConfig
        from klamm.server.config.profiles import TEST
        from klamm.server.node import Node

        place = self._places[node_id]
        environ = {"CLUSTER_ID": self._cluster_id} if self._cluster_id else {}
        config = BrokerConfig.load(profile=TEST, environ=environ, overrides=place.settings)
        node = Node(config, disk=place.disk, network=self._ports)
        await node.start()
        self._nodes[node_id] = node
        node.failed.add_done_callback(lambda failed: self._node_failed(node_id, node, failed))

    def _node_failed(self, node_id: int, node: Node, failed: asyncio.Future[str]) -> None:
        if failed.cancelled() or self._nodes.get(node_id) is not node:
            return
        _logger.critical("node %d has failed: %s", node_id, failed.result())
        del self._nodes[node_id]
        self._halting = asyncio.ensure_future(node.halt())

    # -- what there is to run --

    def _single(self) -> dict[int, _Place]:
        from klamm.log.memory_disk import MEMORY_DIRECTORY

        settings = {"listeners": f"PLAINTEXT://{_HOST}:{self._ports.hold(self._port)}", **self._config}
        settings["log.dirs"] = self._data_dir or MEMORY_DIRECTORY
        return {int(settings.get("node.id", 1)): _Place(settings, self._new_disk())}

    def _several(self) -> dict[int, _Place]:
        """Combined nodes, the voters in their settings: there is nothing to format before they know each other."""
        from klamm.log.memory_disk import MEMORY_DIRECTORY
        from klamm.server.config.local_cluster import LocalNode, node_ids, refuse_reserved, settings_of

        refuse_reserved(self._config)
        nodes = []
        for number, (node_id, _, _) in enumerate(node_ids(self._brokers)):
            port = self._ports.hold(self._port + number if self._port else 0)
            nodes.append(LocalNode(node_id, _HOST, port, self._ports.hold()))
        places = {}
        for node in nodes:
            settings = settings_of(node, nodes, {**_QUICK, **self._config}, static_voters=True)
            settings["log.dirs"] = f"{self._data_dir}/node-{node.node_id}" if self._data_dir else MEMORY_DIRECTORY
            places[node.node_id] = _Place(settings, self._new_disk())
        self._cluster_id = _cluster_id(next(iter(places.values())))
        return places

    def _new_disk(self) -> Disk:
        from klamm.log.disk import RealDisk
        from klamm.log.memory_disk import MemoryDisk

        return RealDisk() if self._data_dir else MemoryDisk()


def _cluster_id(place: _Place) -> str:
    """The id that a node's directory has, or a new one for all."""
    from klamm.kproto.uuids import uuid_text
    from klamm.log import meta_properties
    from klamm.seams import SystemEntropy

    known = meta_properties.read(place.disk, f"{place.settings['log.dirs']}/{meta_properties.FILE}")
    return uuid_text(SystemEntropy().uuid()) if known is None else known.cluster_id
