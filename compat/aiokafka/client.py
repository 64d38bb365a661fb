"""aiokafka as a `compat.scenario.Client`; its objects live on an event loop of their own thread, as in a service."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

from compat.scenario import PARTITIONS, Fetched, Record

T = TypeVar("T")


def _partitions(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in range(PARTITIONS)]


class _Loop:
    """An event loop on a daemon thread; `run` waits for a coroutine there."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = 90) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)


class _Producer:
    def __init__(self, loop: _Loop, bootstrap: str, compression: str, idempotent: bool) -> None:
        self._loop = loop
        self._sent: list[tuple[Record, asyncio.Future[Any]]] = []

        async def start() -> AIOKafkaProducer:
            producer = AIOKafkaProducer(
                bootstrap_servers=bootstrap,
                compression_type=None if compression == "none" else compression,
                enable_idempotence=idempotent,
                acks="all",
                linger_ms=5,
            )
            await producer.start()
            return producer

        self._producer = loop.run(start())

    def send(self, topic: str, record: Record) -> None:
        future = self._loop.run(
            self._producer.send(
                topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                timestamp_ms=record.timestamp_ms,
                headers=list(record.headers),
            )
        )
        self._sent.append((record, future))

    def flush(self) -> list[Fetched]:
        sent, self._sent = self._sent, []

        async def wait() -> list[Any]:
            return await asyncio.gather(*(future for _, future in sent))

        acks = self._loop.run(wait())
        return [Fetched(ack.offset, record) for ack, (record, _) in zip(acks, sent, strict=True)]

    def close(self) -> None:
        self._loop.run(self._producer.stop())


class _Consumer:
    def __init__(self, loop: _Loop, bootstrap: str, group: str | None) -> None:
        self._loop = loop

        async def start() -> AIOKafkaConsumer:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=bootstrap,
                group_id=group,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                partition_assignment_strategy=[RoundRobinPartitionAssignor],
                heartbeat_interval_ms=300,
                session_timeout_ms=10_000,
                fetch_max_wait_ms=100,
            )
            await consumer.start()
            return consumer

        self._consumer = loop.run(start())

    def assign(self, topic: str) -> None:
        async def assign() -> None:
            partitions = _partitions(topic)
            self._consumer.assign(partitions)
            await self._consumer.seek_to_beginning(*partitions)

        self._loop.run(assign())

    def subscribe(self, topic: str) -> None:
        async def subscribe() -> None:
            self._consumer.subscribe([topic])

        self._loop.run(subscribe())

    def poll(self, timeout_ms: int) -> list[Fetched]:
        return [
            Fetched(item.offset, Record(item.partition, item.key, item.value, tuple(item.headers), item.timestamp))
            for items in self._loop.run(self._consumer.getmany(timeout_ms=timeout_ms)).values()
            for item in items
        ]

    def assignment(self) -> frozenset[int]:
        return frozenset(tp.partition for tp in self._consumer.assignment())

    def commit(self) -> bool:
        try:
            self._loop.run(self._consumer.commit())
        except KafkaError:
            return False
        return True

    def committed(self, topic: str) -> dict[int, int]:
        async def committed() -> dict[int, int]:
            offsets = {tp.partition: await self._consumer.committed(tp) for tp in _partitions(topic)}
            return {partition: offset for partition, offset in offsets.items() if offset is not None}

        # aiokafka 0.14 overlooks the error code of the whole OffsetFetch response (version 2 and later), so a broker
        # that still loads its groups looks as if nothing was committed: nothing is believed only after a while.
        deadline = time.monotonic() + 5
        while not (offsets := self._loop.run(committed())) and time.monotonic() < deadline:
            time.sleep(0.1)
        return offsets

    def close(self) -> None:
        self._loop.run(self._consumer.stop())


class Client:
    # aiokafka 0.14 has range, round robin and sticky assignors, all of them eager.
    protocols = ("eager",)
    null_headers = True

    def __init__(self) -> None:
        self._loop = _Loop()

    def create_topic(self, bootstrap: str, topic: str, partitions: int) -> None:
        async def create() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
            await admin.start()
            try:
                await admin.create_topics([NewTopic(topic, partitions, 1)])
            finally:
                await admin.close()

        self._loop.run(create())

    def producer(self, bootstrap: str, *, compression: str, idempotent: bool) -> _Producer:
        return _Producer(self._loop, bootstrap, compression, idempotent)

    def consumer(self, bootstrap: str, *, group: str | None, protocol: str = "eager") -> _Consumer:
        assert protocol == "eager"
        return _Consumer(self._loop, bootstrap, group)
