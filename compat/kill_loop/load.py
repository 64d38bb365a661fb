"""The load: idempotent producers and committing groups of two libraries, each on a thread that outlives the broker.

No retries of our own: the libraries deal with the broker's deaths, and what they report goes into the ledger as it is.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import confluent_kafka
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from compat.kill_loop.ledger import Ledger, make_value

TICK_S = 0.01
COMMIT_EVERY_S = 0.2
CLOSE_TIMEOUT_S = 60


class Worker(threading.Thread, ABC):
    """A thread that repeats `step` until it is asked to stop; an exception that ends it is a violation."""

    def __init__(self, name: str, ledger: Ledger) -> None:
        super().__init__(name=name, daemon=True)
        self.ledger = ledger
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.step()
            self.finish()
        except BaseException as error:
            self.ledger.violate(f"{self.name} died: {error!r}")

    def stop(self) -> None:
        self._stopping.set()
        self.join(CLOSE_TIMEOUT_S)
        if self.is_alive():
            self.ledger.violate(f"{self.name} did not end within {CLOSE_TIMEOUT_S} s")

    @abstractmethod
    def step(self) -> None: ...

    @abstractmethod
    def finish(self) -> None: ...


class _Producer(Worker):
    """Sends at a steady rate, to the partitions in turn."""

    def __init__(self, name: str, ledger: Ledger, topic: str, rate: int) -> None:
        super().__init__(name, ledger)
        self.topic = topic
        self._per_tick = max(1, round(rate * TICK_S))
        self._tick_s = self._per_tick / rate
        self._due = time.monotonic()

    def step(self) -> None:
        for _ in range(self._per_tick):
            number = self.ledger.send(self.name)
            self.send(number % self.ledger.partitions, number)
        self._due = max(self._due + self._tick_s, time.monotonic() - 1)
        self._stopping.wait(max(0.0, self._due - time.monotonic()))

    @abstractmethod
    def send(self, partition: int, number: int) -> None: ...


class LibrdkafkaProducer(_Producer):
    def __init__(
        self, ledger: Ledger, bootstrap: str, topic: str, rate: int, more: Mapping[str, Any] | None = None
    ) -> None:
        """`more`: settings of the library beside those of every run."""
        super().__init__("librdkafka", ledger, topic, rate)
        settings = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "compression.type": "lz4"}
        settings |= {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0}
        self._producer = confluent_kafka.Producer(settings | dict(more or {}))

    def send(self, partition: int, number: int) -> None:
        def on_delivery(error: Any, message: Any) -> None:
            if error is None:
                self.ledger.acknowledge(self.name, number, message.partition(), message.offset())
            else:
                self.ledger.violate(f"{self.name}: record {number} was given up: {error}")

        value = make_value(self.name, number)
        while True:
            try:
                self._producer.produce(self.topic, value=value, partition=partition, on_delivery=on_delivery)
                break
            except BufferError:  # the queue is full while the broker is away
                self._producer.poll(TICK_S)
        self._producer.poll(0)

    def finish(self) -> None:
        if left := self._producer.flush(CLOSE_TIMEOUT_S):
            self.ledger.violate(f"{self.name}: {left} records were never acknowledged")


class KafkaPythonProducer(_Producer):
    def __init__(
        self, ledger: Ledger, bootstrap: str, topic: str, rate: int, more: Mapping[str, Any] | None = None
    ) -> None:
        """`more`: settings of the library beside those of every run."""
        super().__init__("kafka-python", ledger, topic, rate)
        settings = {"enable_idempotence": True, "acks": "all", "linger_ms": 5, "reconnect_backoff_max_ms": 200}
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, **settings | dict(more or {}))

    def send(self, partition: int, number: int) -> None:
        def on_success(metadata: Any) -> None:
            self.ledger.acknowledge(self.name, number, metadata.partition, metadata.offset)

        def on_failure(error: BaseException) -> None:
            self.ledger.violate(f"{self.name}: record {number} was given up: {error!r}")

        future = self._producer.send(self.topic, value=make_value(self.name, number), partition=partition)
        future.add_callback(on_success).add_errback(on_failure)

    def finish(self) -> None:
        self._producer.flush(timeout=CLOSE_TIMEOUT_S)
        self._producer.close()


class _Group(Worker):
    """The only member of its group: reads on and commits what it read, several times a second."""

    def __init__(self, group: str, ledger: Ledger) -> None:
        super().__init__(group, ledger)
        self.positions: dict[int, int] = {}
        self._commit_at = 0.0

    def step(self) -> None:
        self.poll()
        if self.positions and time.monotonic() >= self._commit_at:
            offsets, self.positions = self.positions, {}
            self.ledger.attempt_commit(self.name, offsets)
            if self.commit(offsets):
                self.ledger.commit(self.name, offsets)
            self._commit_at = time.monotonic() + COMMIT_EVERY_S

    @abstractmethod
    def poll(self) -> None:
        """Read for a moment, and note in `positions` where the reading stands."""

    @abstractmethod
    def commit(self, offsets: dict[int, int]) -> bool:
        """False when the commit may not have been taken."""

    def told(self, error: object) -> None:
        """An error that the library has told of; it is to be expected when brokers die."""


class LibrdkafkaGroup(_Group):
    def __init__(
        self, ledger: Ledger, bootstrap: str, topic: str, group: str, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(group, ledger)
        self._topic = topic
        settings = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        settings |= {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 500, "log_level": 0}
        settings |= {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 200}
        # librdkafka 2.16 would drop a broker that is away for long and begin with its bootstrap address again. But what
        # was fetched holds on to the one dropped, and a commit that waits for the coordinator keeps us from taking it.
        settings |= {"metadata.recovery.strategy": "none"}
        self._consumer = confluent_kafka.Consumer(settings | dict(more or {}))
        self._consumer.subscribe([topic])

    def poll(self) -> None:
        for message in self._consumer.consume(2_000, timeout=0.1):
            partition, offset = message.partition(), message.offset()
            if (error := message.error()) is not None:
                self.told(error)
            elif partition is not None and offset is not None:
                self.positions[partition] = offset + 1

    def commit(self, offsets: dict[int, int]) -> bool:
        try:
            self._consumer.commit(
                offsets=[confluent_kafka.TopicPartition(self._topic, p, offset) for p, offset in offsets.items()],
                asynchronous=False,
            )
        except confluent_kafka.KafkaException as error:
            self.told(error)
            return False
        return True

    def finish(self) -> None:
        self._consumer.close()


class KafkaPythonGroup(_Group):
    def __init__(self, ledger: Ledger, bootstrap: str, topic: str, group: str) -> None:
        super().__init__(group, ledger)
        self._topic = topic
        self._consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=500,
            reconnect_backoff_max_ms=200,
        )

    def poll(self) -> None:
        # kafka-python 3.0.12 spins for ever when a join is through at the moment when poll() runs out of time.
        timeout_ms = 100 if self._consumer.assignment() else 5_000
        for tp, records in self._consumer.poll(timeout_ms=timeout_ms, max_records=2_000).items():
            self.positions[tp.partition] = records[-1].offset + 1

    def commit(self, offsets: dict[int, int]) -> bool:
        wanted = {TopicPartition(self._topic, p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}
        try:
            self._consumer.commit(wanted, timeout_ms=5_000)
        except KafkaError as error:
            self.told(error)
            return False
        return True

    def finish(self) -> None:
        self._consumer.close()
