"""A cluster of real Kafka 4.3.1 nodes on 127.0.0.1: combined nodes, or brokers beside controllers of their own.

Every node is a child process with a directory of its own, and keeps its ports and its data over `stop`, `kill` and
`start`. The voters are those of a formatted quorum (KIP-853), all there from the beginning. Settings are Kafka's own
defaults, timers included; only what a cluster of this size cannot have is changed.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from compat.targets import KafkaTarget, answers_api_versions, free_port
from klamm.kproto.uuids import uuid_text

CONTROLLER_ID_FIRST = 101
"""Ids of controllers that are no brokers: 101, 102, ..."""
_ONE_NODE_ONLY = ("controller.quorum.election.timeout.ms", "broker.session.timeout.ms", "broker.heartbeat.interval.ms")
CLIENT, CONTROLLER = "PLAINTEXT", "CONTROLLER"


class KafkaNode(KafkaTarget):
    """One node of a cluster. `bootstrap` is its client listener; a controller has only `controller_port`."""

    def __init__(self, node_id: int, roles: str, directory: Path, heap: str, jvm_options: Sequence[str]) -> None:
        super().__init__(heap=heap, jvm_options=jvm_options, directory=directory)
        self.name = f"kafka node {node_id}"
        self.node_id = node_id
        self.is_broker = "broker" in roles
        self.is_controller = "controller" in roles
        self.controller_port = free_port()
        self.directory_id = uuid_text(uuid4().bytes)
        self.initial_controllers = ""
        listeners = [f"{CLIENT}://{self.bootstrap}"] if self.is_broker else []
        if self.is_controller:
            listeners.append(f"{CONTROLLER}://127.0.0.1:{self.controller_port}")
        for name in _ONE_NODE_ONLY:
            del self.properties[name]
        self.properties |= {
            "process.roles": roles,
            "node.id": str(node_id),
            "listeners": ",".join(listeners),
            "listener.security.protocol.map": f"{CLIENT}:PLAINTEXT,{CONTROLLER}:PLAINTEXT",
            "controller.listener.names": CONTROLLER,
        }

    @property
    def voter(self) -> str:
        """This controller as `kafka-storage format --initial-controllers` takes it."""
        return f"{self.node_id}@127.0.0.1:{self.controller_port}:{self.directory_id}"

    @property
    def log_dirs(self) -> list[Path]:
        """All log directories, the one with the metadata first."""
        return [Path(path) for path in self.properties["log.dirs"].split(",")]

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting: `await_end` waits."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    @property
    def is_running(self) -> bool:
        """Whether the process was started and not stopped by us; it may have died."""
        return self._process is not None

    def _is_ready(self) -> bool:
        return answers_api_versions(self.port if self.is_broker else self.controller_port)

    def _format_arguments(self) -> list[str]:
        # A node that is no voter learns the voters from the log.
        return (
            ["--initial-controllers", self.initial_controllers] if self.is_controller else ["--no-initial-controllers"]
        )


class KafkaCluster:
    """`nodes` brokers with the ids 1, 2, ...; they are the controllers too unless there are to be `controllers`.

    `overrides` go to every node, `node_overrides` to single ones by id (brokers 1..., controllers 101...).
    `log_dirs`: directories per node. `directory` must be empty; without one the cluster makes its own and deletes it.
    """

    def __init__(
        self,
        nodes: int = 3,
        overrides: Mapping[str, str] | None = None,
        directory: Path | None = None,
        *,
        controllers: int = 0,
        log_dirs: int = 1,
        node_overrides: Mapping[int, Mapping[str, str]] | None = None,
        heap: str = "384m",
        jvm_options: Sequence[str] = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    ) -> None:
        self._own_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="compat-kafka-cluster-"))
        roles = dict.fromkeys(range(1, nodes + 1), "broker" if controllers else "broker,controller")
        roles |= dict.fromkeys(range(CONTROLLER_ID_FIRST, CONTROLLER_ID_FIRST + controllers), "controller")
        self.nodes = {
            node_id: KafkaNode(node_id, role, self.directory / f"node-{node_id}", heap, jvm_options)
            for node_id, role in roles.items()
        }
        """By id. To start, stop, kill or signal one alone, use it."""
        voters = [node for node in self.nodes.values() if node.is_controller]
        replicas = str(min(3, nodes))
        for node in self.nodes.values():
            node.initial_controllers = ",".join(voter.voter for voter in voters)
            node.properties |= {
                "controller.quorum.bootstrap.servers": ",".join(f"127.0.0.1:{v.controller_port}" for v in voters),
                "offsets.topic.replication.factor": replicas,
                "transaction.state.log.replication.factor": replicas,
                "transaction.state.log.min.isr": str(min(2, nodes)),
                "share.coordinator.state.topic.replication.factor": replicas,
                "share.coordinator.state.topic.min.isr": str(min(2, nodes)),
                "log.dirs": ",".join(_directories(node, log_dirs)),
                **(overrides or {}),
                **(node_overrides or {}).get(node.node_id, {}),
            }

    @property
    def bootstrap(self) -> str:
        """The client listeners of all brokers, for `bootstrap.servers`."""
        return ",".join(node.bootstrap for node in self.brokers)

    @property
    def brokers(self) -> list[KafkaNode]:
        return [node for node in self.nodes.values() if node.is_broker]

    @property
    def controllers(self) -> list[KafkaNode]:
        return [node for node in self.nodes.values() if node.is_controller]

    def data_dir(self, node_id: int) -> Path:
        """The first log directory of a node: the one that holds `__cluster_metadata-0`."""
        return self.nodes[node_id].log_dirs[0]

    def start(self, node_ids: Iterable[int] | None = None) -> None:
        """Start the nodes (all that do not run, if none are named) and return when each of them serves."""
        chosen = [node for node in self._chosen(node_ids) if not node.is_running]
        try:
            # Controllers first: brokers find an active one at once then.
            for node in sorted(chosen, key=lambda node: not node.is_controller):
                node.launch()
            for node in chosen:
                node.await_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self, node_ids: Iterable[int] | None = None) -> None:
        """Stop the nodes (all that run, if none are named) cleanly, brokers before controllers of their own."""
        chosen = [node for node in self._chosen(node_ids) if node.is_running]
        for are_brokers in (True, False):
            stopping = [node for node in chosen if node.is_broker is are_brokers]
            for node in stopping:
                node.ask_to_stop()
            for node in stopping:
                node.await_end()

    def kill(self, node_id: int | None = None) -> None:
        """SIGKILL one node, or all."""
        for node in self._chosen(None if node_id is None else [node_id]):
            node.kill()

    def remove(self) -> None:
        """Kill what runs and delete what the cluster made on the disk."""
        self.kill()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _chosen(self, node_ids: Iterable[int] | None) -> list[KafkaNode]:
        return [self.nodes[node_id] for node_id in (self.nodes if node_ids is None else node_ids)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if error is None:
            self.remove()
        else:
            self.kill()


def _directories(node: KafkaNode, count: int) -> list[str]:
    return [str(node.directory / ("data" if number == 0 else f"data-{number}")) for number in range(count)]
