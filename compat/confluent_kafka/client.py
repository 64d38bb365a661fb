"""confluent-kafka (librdkafka) as a `compat.scenario.Client`; any error that librdkafka reports is raised."""

from __future__ import annotations

import time
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.scenario import PARTITIONS, TIMEOUT_S, Fetched, Record

ASSIGNORS = {"eager": "range", "cooperative": "cooperative-sticky"}
GROUPS_LOADING = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)


def _partitions(topic: str, offset: int = confluent_kafka.OFFSET_INVALID) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for partition in range(PARTITIONS)]


def _settings(bootstrap: str) -> dict[str, Any]:
    # librdkafka logs each lost connection to standard error; a restart is no news here.
    return {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 500, "log_level": 3}


class _Producer:
    def __init__(self, bootstrap: str, compression: str, idempotent: bool) -> None:
        settings = {"compression.type": compression, "enable.idempotence": idempotent, "acks": "all", "linger.ms": 5}
        self._producer = confluent_kafka.Producer(_settings(bootstrap) | settings)
        self._acks: list[Fetched] = []
        self._failures: list[str] = []

    def send(self, topic: str, record: Record) -> None:
        def on_delivery(error: Any, message: Any) -> None:
            if error is None:
                self._acks.append(Fetched(message.offset(), record))
            else:
                self._failures.append(str(error))

        self._producer.produce(
            topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            timestamp=record.timestamp_ms,
            headers=list(record.headers),
            on_delivery=on_delivery,
        )

    def flush(self) -> list[Fetched]:
        left = self._producer.flush(60)
        assert not left and not self._failures, f"{left} not acknowledged, failures: {self._failures}"
        acks, self._acks = self._acks, []
        return acks

    def close(self) -> None:
        self._producer.flush(5)


class _Consumer:
    def __init__(self, bootstrap: str, group: str | None, protocol: str) -> None:
        settings = {
            # librdkafka refuses to work without a group name; without subscribe or commit it stays unused.
            "group.id": group or "no-group",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "partition.assignment.strategy": ASSIGNORS[protocol],
            "heartbeat.interval.ms": 300,
            "session.timeout.ms": 10_000,
            "fetch.wait.max.ms": 100,
        }
        self._consumer = confluent_kafka.Consumer(_settings(bootstrap) | settings)

    def assign(self, topic: str) -> None:
        self._consumer.assign(_partitions(topic, confluent_kafka.OFFSET_BEGINNING))

    def subscribe(self, topic: str) -> None:
        self._consumer.subscribe([topic])

    def poll(self, timeout_ms: int) -> list[Fetched]:
        fetched = []
        message = self._consumer.poll(timeout_ms / 1000)
        while message is not None:
            error = message.error()
            # Transport errors are events here, not failures: librdkafka goes on by itself.
            assert error is None or not error.fatal(), str(error)
            if error is None:
                fetched.append(_fetched(message))
            message = self._consumer.poll(0)
        return fetched

    def assignment(self) -> frozenset[int]:
        return frozenset(tp.partition for tp in self._consumer.assignment())

    def commit(self) -> bool:
        try:
            self._consumer.commit(asynchronous=False)
        except confluent_kafka.KafkaException:
            return False
        return True

    def committed(self, topic: str) -> dict[int, int]:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                offsets = self._consumer.committed(_partitions(topic), timeout=30)
                break
            except confluent_kafka.KafkaException as error:
                # A restarted broker answers so until it has loaded its groups; librdkafka leaves the retry to us.
                if error.args[0].code() not in GROUPS_LOADING or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        assert not any(tp.error for tp in offsets), [tp.error for tp in offsets]
        return {tp.partition: tp.offset for tp in offsets if tp.offset >= 0}

    def close(self) -> None:
        self._consumer.close()


def _fetched(message: Any) -> Fetched:
    headers = tuple(message.headers() or ())
    timestamp_ms = message.timestamp()[1]
    return Fetched(message.offset(), Record(message.partition(), message.key(), message.value(), headers, timestamp_ms))


class Client:
    protocols = ("eager", "cooperative")
    null_headers = True

    def create_topic(self, bootstrap: str, topic: str, partitions: int) -> None:
        admin = AdminClient(_settings(bootstrap))
        for created in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            created.result(30)

    def producer(self, bootstrap: str, *, compression: str, idempotent: bool) -> _Producer:
        return _Producer(bootstrap, compression, idempotent)

    def consumer(self, bootstrap: str, *, group: str | None, protocol: str = "eager") -> _Consumer:
        return _Consumer(bootstrap, group, protocol)
