"""In front of a cluster of three: a port for each node, and no connection that goes past the proxy."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from klamm.testing import Cluster
from tests.proxy.conftest import Running


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with Cluster(brokers=3) as cluster:
        yield cluster


def test_every_connection_goes_through(three: Cluster) -> None:
    topic = f"t-{uuid.uuid4()}"
    three.create_topic(topic, partitions=6)
    nodes = three.bootstrap_servers.split(",")
    running = Running(nodes[0])
    producer = KafkaProducer(bootstrap_servers=running.address)
    for partition in range(6):
        assert producer.send(topic, b"%d" % partition, partition=partition).get(timeout=20).partition == partition
    producer.close()
    consumer = KafkaConsumer(
        bootstrap_servers=running.address, group_id="g", auto_offset_reset="earliest", consumer_timeout_ms=20000
    )
    consumer.assign([TopicPartition(topic, partition) for partition in range(6)])
    assert sorted(next(consumer).value for _ in range(6)) == [b"%d" % partition for partition in range(6)]
    consumer.commit()
    consumer.close()
    assert {f"{host}:{port}" for host, port in running.proxy.followed} == set(nodes)
    led = {line.split()[6] for line in running.shown if "opened by" in line}
    assert led == set(nodes), "all three were asked, each by way of its own port"
    running.stop()
