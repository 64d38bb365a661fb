"""A consumer with a rack reads from the follower in it, goes to the leader when that is away, and comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kafka import KafkaConsumer, TopicPartition

from compat.cluster import ClusterTarget
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster

TOPIC = "t"
LEADER, FOLLOWER = 1, 2
RACK = f"rack-{FOLLOWER}"
SETTINGS = {
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    "leader.imbalance.check.interval.seconds": "3600",
}
WITHIN_S = 60.0


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterTarget]:
    racks = {node_id: {"broker.rack": f"rack-{node_id}"} for node_id in (1, 2, 3)}
    kind = KafkaCluster if request.config.getoption("--target") == "kafka" else KlammCluster
    with kind(3, SETTINGS, node_overrides=racks) as made:
        admin = AdminClient({"bootstrap.servers": made.bootstrap})
        placed = NewTopic(TOPIC, 1, replica_assignment=[[LEADER, FOLLOWER, 3]])
        admin.create_topics([placed])[TOPIC].result(30)
        yield made


class Reader:
    """librdkafka's consumer, with where it last fetched from."""

    def __init__(self, cluster: ClusterTarget, rack: str) -> None:
        self.values: list[int] = []
        self.sources: list[int] = []
        """Each other broker that was read from, as its statistics tell."""
        self._consumer = Consumer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "group.id": "g",
                "client.rack": rack,
                "auto.offset.reset": "earliest",
                "statistics.interval.ms": 50,
                "stats_cb": self._on_statistics,
                "fetch.wait.max.ms": 50,
            }
        )
        self._consumer.subscribe([TOPIC])

    def _on_statistics(self, text: str) -> None:
        told: Mapping[str, Any] = json.loads(text)
        partition = told["topics"].get(TOPIC, {}).get("partitions", {}).get("0", {})
        source = partition.get("broker", -1)
        if partition.get("fetch_state") == "active" and source > 0 and self.sources[-1:] != [source]:
            self.sources.append(source)

    def read_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, (self.values[-3:], self.sources)
            message = self._consumer.poll(0.05)
            if message is not None and message.error() is None:
                self.values.append(int(message.value() or b""))

    def close(self) -> None:
        self._consumer.close()


class Writer:
    """Numbers, each acknowledged by all that are in sync."""

    def __init__(self, cluster: ClusterTarget) -> None:
        self._producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
        self.count = 0

    def write(self, count: int = 100) -> None:
        for _ in range(count):
            self._producer.produce(TOPIC, b"%d" % self.count, partition=0)
            self.count += 1
        assert self._producer.flush(WITHIN_S) == 0


def test_the_follower_in_the_own_rack_is_read(cluster: ClusterTarget) -> None:
    writer, reader = Writer(cluster), Reader(cluster, RACK)
    writer.write()
    reader.read_until(lambda: len(reader.values) == 100 and reader.sources[-1:] == [FOLLOWER])
    writer.write()
    reader.read_until(lambda: len(reader.values) == 200)
    assert reader.sources[-1] == FOLLOWER

    cluster.stop([FOLLOWER])
    writer.write()
    reader.read_until(lambda: len(reader.values) == 300 and reader.sources[-1] == LEADER)

    cluster.start([FOLLOWER])
    deadline = time.monotonic() + WITHIN_S
    while reader.sources[-1] != FOLLOWER:
        assert time.monotonic() < deadline
        # The leader sends a consumer away when it fetches, be there records or not.
        writer.write(1)
        reader.read_until(lambda: len(reader.values) == writer.count)
    writer.write()
    reader.read_until(lambda: len(reader.values) == writer.count)
    assert reader.values == list(range(writer.count))
    reader.close()


@pytest.mark.parametrize("rack", ["", f"rack-{LEADER}", "nowhere"])
def test_others_read_from_the_leader(cluster: ClusterTarget, rack: str) -> None:
    writer, reader = Writer(cluster), Reader(cluster, rack)
    writer.write()
    reader.read_until(lambda: len(reader.values) == 100 and reader.sources)
    writer.write()
    reader.read_until(lambda: len(reader.values) == 200)
    assert (reader.sources, reader.values) == ([LEADER], list(range(200)))
    reader.close()


def test_kafka_python_reads_it_too(cluster: ClusterTarget) -> None:
    Writer(cluster).write()
    consumer = KafkaConsumer(
        bootstrap_servers=cluster.bootstrap, client_rack=RACK, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    consumer.assign([TopicPartition(TOPIC, 0)])
    assert [int(next(consumer).value) for _ in range(100)] == list(range(100))
    fetched_from = {
        node_id
        for node_id in (1, 2, 3)
        if consumer.metrics().get(f"consumer-node-metrics.node-{node_id}", {}).get("incoming-byte-rate", 0.0) > 0
    }
    assert FOLLOWER in fetched_from
    consumer.close()
