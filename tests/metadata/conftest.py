"""Nodes on the disk in memory, with a clock and an entropy that the test controls.

Tests take the fixture `lab`; its classes are reached through it, because test files cannot import each other.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import pytest

from klamm.channel import Channels
from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.schema import Message
from klamm.log.io_thread import DeferredIo, InlineIo
from klamm.log.log_dirs import LogDirs
from klamm.log.memory_disk import MemoryDisk
from klamm.metadata.controller.configs import EffectiveConfig
from klamm.metadata.image.cluster import Endpoint
from klamm.metadata.image.image import TOPIC_RESOURCE, MetadataDelta, MetadataImage
from klamm.metadata.node_metadata import MetadataNode, MetadataSettings
from klamm.metadata.record_codec import decode_record
from klamm.metadata.storage_format import FormatOptions, open_storage
from klamm.seams import SeededEntropy, TcpNetwork
from klamm.server.broker_lifecycle import BrokerLifecycle
from klamm.server.to_controller import ControllerChannel

START_MS = 1_700_000_000_000


class TestTimer:
    __test__ = False

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class TestClock:
    """Stands still until `advance`; a delay of 0 is the loop's next turn."""

    __test__ = False

    def __init__(self) -> None:
        self.now_ms = 0.0
        self._due: list[tuple[float, int, TestTimer]] = []
        self._sequence = count()

    def time_ms(self) -> int:
        return START_MS + int(self.now_ms)

    def monotonic_ms(self) -> float:
        return self.now_ms

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> TestTimer:
        timer = TestTimer(callback)
        if delay_ms <= 0:
            asyncio.get_running_loop().call_soon(self._fire, timer)
        else:
            heapq.heappush(self._due, (self.now_ms + delay_ms, next(self._sequence), timer))
        return timer

    @staticmethod
    def _fire(timer: TestTimer) -> None:
        if timer.callback is not None:
            timer.callback()

    async def advance(self, ms: float) -> None:
        """Let time pass; what is due runs in order, with a few turns of the loop after each."""
        end_ms = self.now_ms + ms
        while self._due and self._due[0][0] <= end_ms:
            self.now_ms, _, timer = heapq.heappop(self._due)
            self._fire(timer)
            await turns()
        self.now_ms = end_ms
        await turns()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class ScriptedEntropy(SeededEntropy):
    """Gives the uuids in `script` first."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.script: deque[bytes] = deque()

    def uuid(self) -> bytes:
        return self.script.popleft() if self.script else super().uuid()


class TopicRules:
    """Rules for a few keys, with the messages of Kafka 4.3.1."""

    NUMBERS = ("retention.ms", "segment.ms", "segment.bytes", "max.message.bytes", "min.insync.replicas")
    LISTS: Mapping[str, str] = {"cleanup.policy": "delete"}

    def validate(self, resource_type: int, name: str, configs: Mapping[str, str], existing: Mapping[str, str]) -> None:
        if resource_type != TOPIC_RESOURCE:
            return
        for key, value in configs.items():
            if key not in self.NUMBERS and key not in self.LISTS:
                raise KafkaError(errors.INVALID_CONFIG, f"Unknown topic config name: {key}")
            if key in self.NUMBERS and not value.lstrip("-").isdigit():
                message = f"Invalid value {value} for configuration {key}: Not a number of type LONG"
                raise KafkaError(errors.INVALID_CONFIG, message)

    def is_list(self, resource_type: int, key: str) -> bool:
        return key in self.LISTS

    def default(self, resource_type: int, key: str) -> str | None:
        return self.LISTS.get(key)

    def effective_topic_configs(
        self, configs: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]
    ) -> Sequence[EffectiveConfig]:
        return [EffectiveConfig(key, value, False, 1, False) for key, value in sorted(configs.items())]


class Running:
    """A node that was started, and what it published."""

    def __init__(self, lab: Lab, log_dirs: LogDirs, node: MetadataNode) -> None:
        self.lab, self.log_dirs, self.node = lab, log_dirs, node
        self.published: list[tuple[MetadataDelta, MetadataImage]] = []
        self.controller = ControllerChannel(node, lab.channels, "1", 30_000)
        self.broker = BrokerLifecycle(
            self.controller,
            node,
            log_dirs,
            lab.clock,
            lab.entropy,
            heartbeat_ms=2000,
            session_ms=9000,
            registration_timeout_ms=60_000,
        )

    @property
    def image(self) -> MetadataImage:
        return self.node.image

    async def up(self, listeners: Sequence[Endpoint] = (Endpoint("PLAINTEXT", "127.0.0.1", 9092),)) -> None:
        """Start, register the broker, unfence it."""
        await self.node.start()
        await self.broker.register(listeners)
        await self.broker.unfence()

    async def stop(self) -> None:
        await self.broker.controlled_shutdown()
        self.node.close()
        self.log_dirs.close(self.broker.broker_epoch)

    def kill(self) -> None:
        """End without a word: only the locks, which die with a process, are given back."""
        self.node.close()
        for directory in self.log_dirs.directories:
            directory.release()

    async def create(self, *topics: CreateTopicsRequest.CreatableTopic, validate_only: bool = False) -> Any:
        request = self.lab.creation(*topics, validate_only=validate_only)
        return await settled(self.node.submit(request))

    def log_bytes(self) -> bytes:
        log = self.node.log.log
        return bytes(log.read(log.log_start_offset, 1 << 30, max_offset=log.log_end_offset).data)

    def batches(self, since: int = 0) -> list[list[Message]]:
        """The batches of metadata records from offset `since` on; control batches are left out."""
        return [
            [decode_record(record.value)[0] for record in records.iter_records(batch)]
            for batch in records.batches(self.log_bytes())
            if not batch.is_control and batch.base_offset >= since
        ]


async def settled(answer: Any) -> Any:
    return await answer if isinstance(answer, asyncio.Future) else answer


class Lab:
    """One disk, clock and entropy; every `start` is another life of the same node."""

    path = "/data"
    settled = staticmethod(settled)
    turns = staticmethod(turns)
    endpoint = Endpoint

    def __init__(self) -> None:
        self.disk = MemoryDisk()
        self.clock = TestClock()
        self.entropy = ScriptedEntropy(7)
        self.rules = TopicRules()
        self.channels = Channels(TcpNetwork(), self.clock)

    def make(
        self,
        *,
        settings: MetadataSettings | None = None,
        options: FormatOptions | None = None,
        flusher: DeferredIo | InlineIo | None = None,
        disk: Any = None,
    ) -> Running:
        """A node that is not started. By default it writes no no-op records."""
        log_dirs = LogDirs(
            [self.path],
            disk=disk or self.disk,
            clock=self.clock,
            entropy=self.entropy,
            writer=InlineIo(),
            flusher=InlineIo() if flusher is None else flusher,
        )
        storage = open_storage(log_dirs, options or FormatOptions(1, "test-cluster"))
        log_dirs.load()
        settings = settings or MetadataSettings(max_idle_interval_ms=0)
        node = MetadataNode(storage, settings, log_dirs, self.rules, self.clock, self.entropy, self.channels)
        running = Running(self, log_dirs, node)
        node.add_publisher(lambda delta, image: running.published.append((delta, image)))
        return running

    async def start(self, **options: Any) -> Running:
        running = self.make(**options)
        await running.up()
        return running

    @staticmethod
    def creation(*topics: CreateTopicsRequest.CreatableTopic, validate_only: bool = False) -> CreateTopicsRequest:
        return CreateTopicsRequest(topics=list(topics), timeout_ms=1000, validate_only=validate_only)

    @staticmethod
    def topic(
        name: str, partitions: int = 1, replication_factor: int = -1, **configs: str
    ) -> CreateTopicsRequest.CreatableTopic:
        row = CreateTopicsRequest.CreatableTopic
        return row(
            name=name,
            num_partitions=partitions,
            replication_factor=replication_factor,
            assignments=[],
            configs=[row.CreatableTopicConfig(name=k.replace("_", "."), value=v) for k, v in configs.items()],
        )


@pytest.fixture
def lab() -> Lab:
    return Lab()
