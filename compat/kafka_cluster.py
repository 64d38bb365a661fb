"""A cluster of real Kafka 4.3.1 nodes on 127.0.0.1: combined nodes, or brokers beside controllers of their own.

The voters are those of a formatted quorum (KIP-853), all there from the beginning. Settings are Kafka's own defaults,
timers included; only what a cluster of this size cannot have is changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final
from uuid import uuid4

from compat.cluster import CONTROLLER_ID_FIRST, HERE, ClusterTarget, NodeTarget, Place
from compat.targets import KafkaTarget, free_port
from klamm.kproto.uuids import uuid_text

_ONE_NODE_ONLY = ("controller.quorum.election.timeout.ms", "broker.session.timeout.ms", "broker.heartbeat.interval.ms")
CLIENT, CONTROLLER = "PLAINTEXT", "CONTROLLER"
HEAP: Final = "384m"
JVM_OPTIONS: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class KafkaNode(NodeTarget, KafkaTarget):
    """One node of a cluster. `bootstrap` is its client listener; a controller has only `controller_port`."""

    def __init__(
        self, node_id: int, roles: str, directory: Path, heap: str, jvm_options: Sequence[str], place: Place
    ) -> None:
        super().__init__(heap=heap, jvm_options=jvm_options, directory=directory)
        self.place = place
        self.host = place.host
        self.name = f"kafka node {node_id}"
        self.node_id = node_id
        self.is_broker = "broker" in roles
        self.is_controller = "controller" in roles
        self.controller_port = free_port()
        self.directory_id = _directory_id()
        self.format_arguments = ["--no-initial-controllers"]
        """Of a node that is no voter from the beginning: it learns the voters from the log."""
        for name in _ONE_NODE_ONLY:
            del self.properties[name]
        self._write_listeners()
        self.properties |= {
            "process.roles": roles,
            "node.id": str(node_id),
            "listener.security.protocol.map": f"{CLIENT}:PLAINTEXT,{CONTROLLER}:PLAINTEXT",
            "controller.listener.names": CONTROLLER,
        }

    @property
    def voter(self) -> str:
        """This controller as `kafka-storage format --initial-controllers` takes it."""
        return f"{self.node_id}@{self.quorum_address}:{self.directory_id}"

    @property
    def log_dirs(self) -> list[Path]:
        """All log directories, the one with the metadata first."""
        return [Path(path) for path in self.properties["log.dirs"].split(",")]

    def set(self, settings: Mapping[str, str]) -> None:
        self.properties |= settings

    def replace_disk(self) -> None:
        for directory in self.log_dirs:
            shutil.rmtree(directory)
        self.format_arguments = ["--no-initial-controllers"]
        self._is_formatted = False

    def _write_listeners(self) -> None:
        listeners = [f"{CLIENT}://{self.bootstrap}"] if self.is_broker else []
        if self.is_controller:
            listeners.append(f"{CONTROLLER}://{self.quorum_address}")
        self.properties["listeners"] = ",".join(listeners)

    def _format_arguments(self) -> list[str]:
        return self.format_arguments


class KafkaCluster(ClusterTarget):
    """`nodes` brokers with the ids 1, 2, ...; they are the controllers too unless there are to be `controllers`.

    `overrides` go to every node, `node_overrides` to single ones by id. `log_dirs`: directories per node. `places`: of
    nodes that are not on 127.0.0.1. `spare_controllers`: so many of the controllers, the last, do not vote when the
    quorum begins. `static_voters`: the settings name the voters, as before KIP-853.
    """

    name: ClassVar[str] = "kafka"

    def __init__(
        self,
        nodes: int = 3,
        overrides: Mapping[str, str] | None = None,
        directory: Path | None = None,
        *,
        controllers: int = 0,
        log_dirs: int = 1,
        node_overrides: Mapping[int, Mapping[str, str]] | None = None,
        heap: str = HEAP,
        jvm_options: Sequence[str] = JVM_OPTIONS,
        places: Mapping[int, Place] | None = None,
        spare_controllers: int = 0,
        static_voters: bool = False,
    ) -> None:
        super().__init__(directory)
        roles = dict.fromkeys(range(1, nodes + 1), "broker" if controllers else "broker,controller")
        roles |= dict.fromkeys(range(CONTROLLER_ID_FIRST, CONTROLLER_ID_FIRST + controllers), "controller")
        self._nodes = {
            node_id: KafkaNode(
                node_id, role, self.directory / f"node-{node_id}", heap, jvm_options, (places or {}).get(node_id, HERE)
            )
            for node_id, role in roles.items()
        }
        all_controllers = [node for node in self._nodes.values() if node.is_controller]
        voters = all_controllers[: len(all_controllers) - spare_controllers]
        if static_voters:
            quorum = ",".join(f"{voter.node_id}@{voter.quorum_address}" for voter in voters)
            finding = {"controller.quorum.voters": quorum}
        else:
            # All of them: where a voter is taken out that was the only address, nobody finds the next leader.
            finding = {"controller.quorum.bootstrap.servers": ",".join(node.quorum_address for node in all_controllers)}
        for voter in voters:
            voter.format_arguments = ["--initial-controllers", ",".join(each.voter for each in voters)]
        replicas = str(max(1, min(3, nodes)))
        for node in self._nodes.values():
            del node.properties["controller.quorum.bootstrap.servers"]
            if static_voters:
                node.format_arguments = []
            node.properties |= {
                **finding,
                "offsets.topic.replication.factor": replicas,
                "transaction.state.log.replication.factor": replicas,
                "transaction.state.log.min.isr": str(max(1, min(2, nodes))),
                "share.coordinator.state.topic.replication.factor": replicas,
                "share.coordinator.state.topic.min.isr": str(max(1, min(2, nodes))),
                "log.dirs": ",".join(_directories(node, log_dirs)),
                **(overrides or {}),
                **(node_overrides or {}).get(node.node_id, {}),
            }

    @property
    def nodes(self) -> Mapping[int, KafkaNode]:
        return self._nodes


def new_controller(node_id: int, directory: Path, bootstrap_servers: str, settings: Mapping[str, str]) -> KafkaNode:
    """A controller that does not vote and finds the quorum there; it is not started yet."""
    node = KafkaNode(node_id, "controller", directory, HEAP, JVM_OPTIONS, HERE)
    node.set({**settings, "controller.quorum.bootstrap.servers": bootstrap_servers, "log.dirs": str(node.data_dir)})
    return node


def _directory_id() -> str:
    """Drawn as Kafka draws ids: none begins as an option of a command does."""
    while (drawn := uuid_text(uuid4().bytes)).startswith("-"):
        pass
    return drawn


def _directories(node: KafkaNode, count: int) -> list[str]:
    return [str(node.directory / ("data" if number == 0 else f"data-{number}")) for number in range(count)]
