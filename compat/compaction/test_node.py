"""A running node compacts: a topic whose policy changes live, the group's offsets, with settings that change live."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from compat.targets import KlammTarget
from klamm.log import checkpoint
from klamm.log.disk import RealDisk

confluent = pytest.importorskip("confluent_kafka")
from confluent_kafka.admin import (  # noqa: E402
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

KEYS = 50


def _set(admin: Any, kind: Any, resource: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    for done in admin.incremental_alter_configs([ConfigResource(kind, resource, incremental_configs=[entry])]).values():
        done.result(30)


def _await(what: Callable[[], object], node: KlammTarget) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, node.log_tail()
        time.sleep(0.05)


def _cleaned(node: KlammTarget, topic: str) -> int:
    offsets = checkpoint.read_offsets(RealDisk(), str(node.data_dir / checkpoint.CLEANER_OFFSET))
    return offsets.get((topic, 0), 0)


def _write(node: KlammTarget, count: int, *, first: int = 0) -> None:
    producer = confluent.Producer({"bootstrap.servers": node.bootstrap, "linger.ms": 5})
    for n in range(first, first + count):
        producer.produce("t", key=b"k%d" % (n % KEYS), value=b"%d " % n * 40)
        if n % 1000 == 999:
            assert producer.flush(30) == 0
    assert producer.flush(30) == 0


def _read(node: KlammTarget) -> list[tuple[bytes, bytes]]:
    consumer = confluent.Consumer(
        {"bootstrap.servers": node.bootstrap, "group.id": "reader", "enable.auto.commit": False,
         "enable.partition.eof": True}
    )  # fmt: skip
    consumer.assign([confluent.TopicPartition("t", 0, 0)])
    found = []
    while (message := consumer.poll(30)) is not None:
        if message.error():
            assert message.error().code() == confluent.KafkaError._PARTITION_EOF
            break
        found.append((message.key(), message.value()))
    consumer.close()
    return found


def _has_coordinator(consumer: Any) -> bool:
    try:
        consumer.committed([confluent.TopicPartition("t", 0)], timeout=5)
    except confluent.KafkaException:
        return False
    return True


def _is_complete(found: list[tuple[bytes, bytes]], count: int) -> bool:
    """Whether the last value of each key is the last one written."""
    last = dict(found)
    return all(last[b"k%d" % (n % KEYS)] == b"%d " % n * 40 for n in range(count - KEYS, count))


def test_a_topic_whose_policy_changes_live() -> None:
    node = KlammTarget({"log.cleaner.backoff.ms": "3600000"})
    with node:
        admin = AdminClient({"bootstrap.servers": node.bootstrap})
        config = {"segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.1", "file.delete.delay.ms": "100"}
        admin.create_topics([NewTopic("t", 1, 1, config=config)])["t"].result(30)
        _write(node, 20_000)
        _set(admin, ResourceType.TOPIC, "t", "cleanup.policy", "compact")
        assert _cleaned(node, "t") == 0, "the cleaner rests for an hour"
        _set(admin, ResourceType.BROKER, "1", "log.cleaner.backoff.ms", "200")
        _await(lambda: _cleaned(node, "t") > 10_000, node)
        _await(lambda: not list((node.data_dir / "t-0").glob("*.deleted")), node)
        found = _read(node)
        assert len(found) < 10_000 and _is_complete(found, 20_000)
        assert sum(path.stat().st_size for path in (node.data_dir / "t-0").glob("*.log")) < 2_500_000
        for kill in (False, True):
            node.restart(kill)
            assert _read(node) == found
        before = _cleaned(node, "t")
        _set(admin, ResourceType.TOPIC, "t", "cleanup.policy", "delete")
        _write(node, 20_000, first=20_000)
        assert _cleaned(node, "t") == before
        assert len(_read(node)) == len(found) + 20_000
        _set(admin, ResourceType.TOPIC, "t", "cleanup.policy", "compact")
        _await(lambda: _cleaned(node, "t") > 30_000, node)
        found = _read(node)
        assert len(found) < 10_000 and _is_complete(found, 40_000)


def test_the_offsets_of_groups_are_compacted() -> None:
    node = KlammTarget(
        {"log.cleaner.backoff.ms": "200", "offsets.topic.num.partitions": "1", "offsets.topic.segment.bytes": "1048576"}
    )
    partitions = range(100)
    with node:
        admin = AdminClient({"bootstrap.servers": node.bootstrap})
        admin.create_topics([NewTopic("t", len(partitions), 1)])["t"].result(30)
        consumer = confluent.Consumer({"bootstrap.servers": node.bootstrap, "group.id": "g"})
        _await(lambda: _has_coordinator(consumer), node)
        directory = node.data_dir / "__consumer_offsets-0"
        rounds = 0
        while _cleaned(node, "__consumer_offsets") == 0:
            assert rounds < 2000, node.log_tail()
            offsets = [confluent.TopicPartition("t", n, rounds) for n in partitions]
            consumer.commit(offsets=offsets, asynchronous=False)
            rounds += 1
        consumer.close()
        logs = sorted(directory.glob("*.log"))
        assert len(logs) > 1 and logs[0].stat().st_size < 100_000
        for kill in (False, True):
            node.restart(kill)
            consumer = confluent.Consumer({"bootstrap.servers": node.bootstrap, "group.id": "g"})
            _await(lambda: _has_coordinator(consumer), node)  # noqa: B023
            committed = consumer.committed([confluent.TopicPartition("t", n) for n in partitions], timeout=30)
            assert {partition.offset for partition in committed} == {rounds - 1}
            consumer.close()
