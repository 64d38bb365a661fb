"""kafka-python as a `compat.scenario.Client`. No retry logic of our own: what the library does is what is tested."""

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

from compat.scenario import PARTITIONS, Fetched, Record

ASSIGNORS = {"eager": [RangePartitionAssignor], "cooperative": [CooperativeStickyAssignor]}


def _partitions(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in range(PARTITIONS)]


class _Producer:
    def __init__(self, bootstrap: str, compression: str, idempotent: bool) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type=None if compression == "none" else compression,
            enable_idempotence=idempotent,
            acks="all",
            linger_ms=5,
            reconnect_backoff_max_ms=500,
        )
        self._sent: list[tuple[Record, Any]] = []

    def send(self, topic: str, record: Record) -> None:
        future = self._producer.send(
            topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            partition=record.partition,
            timestamp_ms=record.timestamp_ms,
        )
        self._sent.append((record, future))

    def flush(self) -> list[Fetched]:
        sent, self._sent = self._sent, []
        return [Fetched(future.get(timeout=60).offset, record) for record, future in sent]

    def close(self) -> None:
        self._producer.close()


class _Consumer:
    def __init__(self, bootstrap: str, group: str | None, protocol: str) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            partition_assignment_strategy=ASSIGNORS[protocol],
            heartbeat_interval_ms=300,
            session_timeout_ms=10_000,
            fetch_max_wait_ms=100,
            reconnect_backoff_max_ms=500,
        )

    def assign(self, topic: str) -> None:
        partitions = _partitions(topic)
        self._consumer.assign(partitions)
        self._consumer.seek_to_beginning(*partitions)

    def subscribe(self, topic: str) -> None:
        self._consumer.subscribe([topic])

    def poll(self, timeout_ms: int) -> list[Fetched]:
        return [
            Fetched(item.offset, Record(item.partition, item.key, item.value, tuple(item.headers), item.timestamp))
            for items in self._consumer.poll(timeout_ms=timeout_ms).values()
            for item in items
        ]

    def assignment(self) -> frozenset[int]:
        return frozenset(tp.partition for tp in self._consumer.assignment())

    def commit(self) -> bool:
        try:
            self._consumer.commit()
        except KafkaError:
            return False
        return True

    def committed(self, topic: str) -> dict[int, int]:
        offsets = {tp.partition: self._consumer.committed(tp) for tp in _partitions(topic)}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}

    def close(self) -> None:
        self._consumer.close()


class Client:
    protocols = ("eager", "cooperative")
    null_headers = False

    def create_topic(self, bootstrap: str, topic: str, partitions: int) -> None:
        with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
            admin.create_topics([NewTopic(topic, partitions, 1)], wait_for_metadata=True)

    def producer(self, bootstrap: str, *, compression: str, idempotent: bool) -> _Producer:
        return _Producer(bootstrap, compression, idempotent)

    def consumer(self, bootstrap: str, *, group: str | None, protocol: str = "eager") -> _Consumer:
        return _Consumer(bootstrap, group, protocol)
