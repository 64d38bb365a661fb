"""A cluster of processes on 127.0.0.1, alike to a test whether they are klamm's or real Kafka's.

Every node is a child process with a directory of its own, and keeps its ports and its data over `stop`, `kill` and
`start`. Brokers have the ids 1, 2, ...; controllers that are no brokers 101, 102, ...
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, NamedTuple, Self

from compat.targets import ProcessTarget, answers_api_versions, free_port

CONTROLLER_ID_FIRST = 101


class Place(NamedTuple):
    """Where a node runs: its addresses for clients and for controllers, and its network namespace if it has one."""

    host: str = "127.0.0.1"
    controller_host: str = "127.0.0.1"
    namespace: str = ""


HERE = Place()


class NodeTarget(ProcessTarget):
    """One node of a cluster. `bootstrap` is its client listener; a controller has only `controller_port`."""

    place: Place
    node_id: int
    is_broker: bool
    is_controller: bool
    controller_port: int
    former_controller_ports: tuple[int, ...] = ()

    @property
    def quorum_address(self) -> str:
        """Where the controllers find each other."""
        return f"{self.place.controller_host}:{self.controller_port}"

    def move_controller(self) -> None:
        """Have the controller listen on another port from its next start on."""
        self.former_controller_ports += (self.controller_port,)
        self.controller_port = free_port()
        self._write_listeners()

    @abstractmethod
    def _write_listeners(self) -> None:
        """Put the addresses as they are now into the settings."""

    @abstractmethod
    def set(self, settings: Mapping[str, str]) -> None:
        """Settings from the next start on."""

    @abstractmethod
    def replace_disk(self) -> None:
        """An empty disk instead of the old one, formatted for the same cluster: the directory gets another id."""

    @property
    @abstractmethod
    def log_dirs(self) -> list[Path]:
        """All log directories, the one with the metadata first."""

    def _spawn(self, command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        inside = ["ip", "netns", "exec", self.place.namespace] if self.place.namespace else []
        return super()._spawn([*inside, *command], log)

    def _is_ready(self) -> bool:
        if self.is_broker:
            return answers_api_versions(self.port, host=self.place.host)
        return answers_api_versions(self.controller_port, host=self.place.controller_host)

    @property
    def is_running(self) -> bool:
        """Whether the process was started and not stopped by us; it may have died."""
        return self._process is not None

    @property
    def has_died(self) -> bool:
        """Whether the process has ended though nobody told it to."""
        return self._process is not None and self._process.poll() is not None

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting: `await_end` waits."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: its connections stay, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)


class ClusterTarget(ABC):
    """All nodes together. `directory` must be empty; without one the cluster makes its own and `remove` deletes it."""

    name: ClassVar[str]

    def __init__(self, directory: Path | None) -> None:
        self._own_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"compat-{self.name}-cluster-"))

    @property
    @abstractmethod
    def nodes(self) -> Mapping[int, NodeTarget]:
        """By id. To start, stop, kill or signal one alone, use it."""

    @property
    def bootstrap(self) -> str:
        """The client listeners of all brokers, for `bootstrap.servers`."""
        return ",".join(node.bootstrap for node in self.brokers)

    @property
    def brokers(self) -> list[NodeTarget]:
        return [node for node in self.nodes.values() if node.is_broker]

    @property
    def controllers(self) -> list[NodeTarget]:
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

    def _chosen(self, node_ids: Iterable[int] | None) -> list[NodeTarget]:
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
