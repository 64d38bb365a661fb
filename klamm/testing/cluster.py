"""`Cluster`: brokers for a test, in this process on a thread of their own, or one as a child process.

Clock, network, disk and randomness come in here (`klamm.seams`, `klamm.log.disk`), so that faults and a virtual clock
can hang on the same object. Topics are controlled over the wire, the same way in both forms.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.testing.wire import WireClient

if TYPE_CHECKING:
    from klamm.kproto.messages.metadata import MetadataResponse


class ClusterError(RuntimeError):
    """The cluster could not be started, or is not running."""


class Runner(Protocol):
    """How a cluster runs: on a thread, or as a process."""

    def start(self) -> dict[int, str]:
        """Start, wait until all serve, and give the address of each broker by node id."""
        ...

    def stop(self) -> None:
        """Stop and leave nothing behind."""
        ...

    def is_running(self, node_id: int) -> bool: ...

    def start_node(self, node_id: int) -> None: ...

    def stop_node(self, node_id: int) -> None: ...

    def kill_node(self, node_id: int) -> None: ...


class ClusterNode:
    """One node of a running cluster. It keeps its port and its data over its lives."""

    def __init__(self, runner: Runner, node_id: int, bootstrap_servers: str) -> None:
        self.node_id = node_id
        self.bootstrap_servers = bootstrap_servers
        """Its own address: "host:port"."""
        self._runner = runner

    @property
    def is_running(self) -> bool:
        return self._runner.is_running(self.node_id)

    def start(self) -> None:
        """Start again after `stop` or `kill`; returns when it serves. Raises ClusterError when it runs."""
        self._check(is_running=False)
        self._runner.start_node(self.node_id)

    def stop(self) -> None:
        """Stop in order, as SIGTERM does: others take over what it leads. Raises ClusterError when it does not run."""
        self._check(is_running=True)
        self._runner.stop_node(self.node_id)

    def kill(self) -> None:
        """End it at once, as SIGKILL does: nobody is told. Raises ClusterError when it does not run."""
        self._check(is_running=True)
        self._runner.kill_node(self.node_id)

    def restart(self) -> None:
        """`stop` and `start`."""
        self.stop()
        self.start()

    def _check(self, *, is_running: bool) -> None:
        if self.is_running is not is_running:
            raise ClusterError(f"node {self.node_id} is {'running' if self.is_running else 'not running'}")


_SETTLE_TIMEOUT_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.002


class Cluster:
    """Brokers that are ready when the `with` block begins and gone without trace when it ends.

    `config`: settings in Kafka's names, over those of klamm's test profile. `data_dir`: keep the data there; without it
    a cluster in this process keeps everything in memory, and a child process uses a directory that it removes.
    `process=True` runs a child process. `brokers`: more than one are nodes of this process with the ids 1, 2, ..., all
    of them brokers and controllers, and `port` is the first one's. Raises ClusterError when they do not start.
    """

    def __init__(
        self,
        *,
        config: Mapping[str, str] | None = None,
        data_dir: str | None = None,
        process: bool = False,
        port: int = 0,
        brokers: int = 1,
    ) -> None:
        if process and brokers > 1:
            raise ValueError(
                "several brokers run in this process only; `klamm start --brokers` runs a process for each"
            )
        self._runner = _runner(dict(config or {}), data_dir, process, port, brokers)
        self._nodes: dict[int, ClusterNode] = {}

    @property
    def nodes(self) -> Mapping[int, ClusterNode]:
        """The nodes by id, each to be stopped, killed and started by itself."""
        if not self._nodes:
            raise ClusterError("the cluster is not running")
        return MappingProxyType(self._nodes)

    @property
    def bootstrap_servers(self) -> str:
        """What clients take as `bootstrap_servers`: "host:port", of several brokers with commas between them."""
        return ",".join(node.bootstrap_servers for node in self.nodes.values())

    def start(self) -> Self:
        """Start and wait until clients are served."""
        self._nodes = {node_id: ClusterNode(self._runner, node_id, at) for node_id, at in self._runner.start().items()}
        return self

    def stop(self) -> None:
        """Stop; nothing is left behind but a `data_dir` that was given. Safe to call again."""
        if self._nodes:
            self._nodes = {}
            self._runner.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        *,
        replication_factor: int | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        """Create a topic; every broker knows it when this returns. Without a replication factor it has
        `default.replication.factor` replicas: one a broker, three at most. Raises KafkaError.
        """
        from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse

        topic = CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=-1 if replication_factor is None else replication_factor,
            assignments=[],
            configs=[
                CreateTopicsRequest.CreatableTopic.CreatableTopicConfig(name=key, value=value)
                for key, value in (config or {}).items()
            ],
        )
        with self._client() as client:
            (result,) = client.ask(CreateTopicsRequest(topics=[topic]), 7, CreateTopicsResponse).topics
        if result.error_code:
            raise KafkaError(result.error_code, result.error_message)
        self._await_everywhere(lambda topics: topics.get(name) is True)

    def topics(self) -> list[str]:
        """The names of the topics, without the internal ones."""
        with self._client() as client:
            return [topic.name or "" for topic in _topics(client) if not topic.is_internal]

    def leader(self, topic: str, partition: int = 0) -> int:
        """The node id of a partition's leader, -1 while it has none. Raises KafkaError (UNKNOWN_TOPIC_OR_PARTITION)."""
        with self._client() as client:
            for known in _topics(client):
                for row in known.partitions if known.name == topic else ():
                    if row.partition_index == partition:
                        return row.leader_id
        raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)

    def reset(self) -> None:
        """Delete every topic and group: the next test finds the cluster as if it were new. Clients may stay."""
        from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse

        with self._client() as client:
            states = [
                DeleteTopicsRequest.DeleteTopicState(name=topic.name, topic_id=bytes(16)) for topic in _topics(client)
            ]
            response = client.ask(DeleteTopicsRequest(topics=states, timeout_ms=30000), 6, DeleteTopicsResponse)
        for result in response.responses:
            if result.error_code not in (errors.NONE, errors.UNKNOWN_TOPIC_OR_PARTITION):
                raise KafkaError(result.error_code, result.error_message)
        self._await_everywhere(lambda topics: not topics)

    def _client(self) -> WireClient:
        """A connection to a node that runs."""
        for node in self.nodes.values():
            if node.is_running:
                return WireClient(node.bootstrap_servers)
        raise ClusterError("no node of the cluster is running")

    def _await_everywhere(self, is_so: Callable[[Mapping[str, bool]], bool]) -> None:
        """Wait until it is so of every running broker's topics: name -> whether each partition has a leader."""
        if len(self._nodes) == 1:
            return  # what it has answered it knows
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        for node in self._nodes.values():
            while node.is_running:
                with WireClient(node.bootstrap_servers) as client:
                    known = {
                        topic.name or "": all(row.leader_id >= 0 for row in topic.partitions)
                        for topic in _topics(client)
                    }
                if is_so(known):
                    break
                if time.monotonic() > deadline:
                    raise ClusterError(f"node {node.node_id} did not hear of the change")
                time.sleep(_LOOK_AGAIN_S)


def _topics(client: WireClient) -> list[MetadataResponse.MetadataResponseTopic]:
    from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse

    return client.ask(MetadataRequest(topics=None, allow_auto_topic_creation=False), 12, MetadataResponse).topics


def _runner(config: dict[str, str], data_dir: str | None, process: bool, port: int, brokers: int) -> Runner:
    if process:
        from klamm.testing.child import ChildRunner

        return ChildRunner(config, data_dir, port)
    from klamm.testing.thread import ThreadRunner

    return ThreadRunner(config, data_dir, port, brokers)
