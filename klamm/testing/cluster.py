"""`Cluster`: a broker for a test, in this process on a thread of its own, or as a child process.

Clock, network, disk and randomness come in here (`klamm.seams`, `klamm.log.disk`), so that faults and a virtual clock
can hang on the same object. Topics are controlled over the wire, the same way in both forms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.testing.wire import WireClient


class ClusterError(RuntimeError):
    """The cluster could not be started, or is not running."""


class Runner(Protocol):
    """How a cluster runs: on a thread, or as a process."""

    def start(self) -> str:
        """Start, wait until it serves, and give the bootstrap address."""
        ...

    def stop(self) -> None:
        """Stop and leave nothing behind."""
        ...


class Cluster:
    """One broker, ready when the `with` block begins and gone without trace when it ends.

    `config`: settings in Kafka's names, over those of klamm's test profile. `data_dir`: keep the data there; without it
    a cluster in this process keeps everything in memory, and a child process uses a directory that it removes.
    `process=True` runs a child process. Raises ClusterError when the broker does not start.
    """

    def __init__(
        self,
        *,
        config: Mapping[str, str] | None = None,
        data_dir: str | None = None,
        process: bool = False,
        port: int = 0,
    ) -> None:
        self._runner = _runner(dict(config or {}), data_dir, process, port)
        self._bootstrap_servers: str | None = None

    @property
    def bootstrap_servers(self) -> str:
        """What clients take as `bootstrap_servers`: "host:port"."""
        if self._bootstrap_servers is None:
            raise ClusterError("the cluster is not running")
        return self._bootstrap_servers

    def start(self) -> Self:
        """Start and wait until clients are served."""
        self._bootstrap_servers = self._runner.start()
        return self

    def stop(self) -> None:
        """Stop; nothing is left behind but a `data_dir` that was given. Safe to call again."""
        if self._bootstrap_servers is not None:
            self._bootstrap_servers = None
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
        self, name: str, partitions: int = 1, *, replication_factor: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic; it can be used when this returns. Raises KafkaError (TOPIC_ALREADY_EXISTS, ...)."""
        from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse

        topic = CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=replication_factor,
            assignments=[],
            configs=[
                CreateTopicsRequest.CreatableTopic.CreatableTopicConfig(name=key, value=value)
                for key, value in (config or {}).items()
            ],
        )
        with WireClient(self.bootstrap_servers) as client:
            (result,) = client.ask(CreateTopicsRequest(topics=[topic]), 7, CreateTopicsResponse).topics
        if result.error_code:
            raise KafkaError(result.error_code, result.error_message)

    def topics(self) -> list[str]:
        """The names of the topics, without the internal ones."""
        with WireClient(self.bootstrap_servers) as client:
            return [name for name, internal in _topics(client) if not internal]

    def reset(self) -> None:
        """Delete every topic and group: the next test finds the cluster as if it were new. Clients may stay."""
        from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse

        with WireClient(self.bootstrap_servers) as client:
            states = [
                DeleteTopicsRequest.DeleteTopicState(name=name, topic_id=bytes(16)) for name, _ in _topics(client)
            ]
            response = client.ask(DeleteTopicsRequest(topics=states, timeout_ms=30000), 6, DeleteTopicsResponse)
        for result in response.responses:
            if result.error_code not in (errors.NONE, errors.UNKNOWN_TOPIC_OR_PARTITION):
                raise KafkaError(result.error_code, result.error_message)


def _topics(client: WireClient) -> list[tuple[str, bool]]:
    from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse

    response = client.ask(MetadataRequest(topics=None, allow_auto_topic_creation=False), 12, MetadataResponse)
    return [(topic.name or "", topic.is_internal) for topic in response.topics]


def _runner(config: dict[str, str], data_dir: str | None, process: bool, port: int) -> Runner:
    if process:
        from klamm.testing.child import ChildRunner

        return ChildRunner(config, data_dir, port)
    from klamm.testing.thread import ThreadRunner

    return ThreadRunner(config, data_dir, port)
