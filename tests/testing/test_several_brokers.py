"""`Cluster(brokers=3)`: nodes of one process, each of which can go and come back; clients see a retry at most."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.testing import Cluster, ClusterError
from klamm.testing.wire import WireClient

SETTLE_TIMEOUT_S = 30.0


def isr(cluster: Cluster, topic: str) -> list[int]:
    """The in-sync replicas of partition 0, ascending."""
    running = next(node for node in cluster.nodes.values() if node.is_running)
    with WireClient(running.bootstrap_servers) as client:
        topics = [MetadataRequest.MetadataRequestTopic(topic_id=bytes(16), name=topic)]
        answer = client.ask(MetadataRequest(topics=topics), 12, MetadataResponse)
    return sorted(answer.topics[0].partitions[0].isr_nodes)


def until(is_so: object) -> None:
    """Wait for the cluster to get there."""
    assert callable(is_so)
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def values(cluster: Cluster, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(topic, bootstrap_servers=cluster.bootstrap_servers, auto_offset_reset="earliest")
    found = [next(consumer).value for _ in range(count)]
    consumer.close()
    return found


def test_three_brokers_replicate() -> None:
    threads = {t.name for t in threading.enumerate()}
    with Cluster(brokers=3) as cluster:
        assert list(cluster.nodes) == [1, 2, 3]
        assert len(cluster.bootstrap_servers.split(",")) == 3
        cluster.create_topic("t", partitions=3)
        assert cluster.topics() == ["t"]
        assert isr(cluster, "t") == [1, 2, 3]
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all")
        for i in range(100):
            producer.send("t", b"%d" % i)
        producer.flush()
        producer.close()
        assert sorted(map(int, values(cluster, "t", 100))) == list(range(100))
        cluster.reset()
        assert cluster.topics() == []
    assert {t.name for t in threading.enumerate()} == threads


def test_every_node_is_a_voter() -> None:
    with Cluster(brokers=3) as cluster:
        request = DescribeQuorumRequest(
            topics=[
                DescribeQuorumRequest.TopicData(
                    topic_name="__cluster_metadata",
                    partitions=[DescribeQuorumRequest.TopicData.PartitionData(partition_index=0)],
                )
            ]
        )
        with WireClient(cluster.nodes[2].bootstrap_servers) as client:
            answer = client.ask(request, 2, DescribeQuorumResponse)
        partition = answer.topics[0].partitions[0]
        assert partition.error_code == errors.NONE
        assert sorted(voter.replica_id for voter in partition.current_voters) == [1, 2, 3]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_producer_does_not_notice_that_the_leader_goes(how: str) -> None:
    with Cluster(brokers=3) as cluster:
        cluster.create_topic("t", config={"min.insync.replicas": "2"})
        producer = KafkaProducer(
            bootstrap_servers=cluster.bootstrap_servers, acks="all", retries=100, retry_backoff_ms=20
        )
        for i in range(100):
            producer.send("t", b"%d" % i)
        gone = cluster.leader("t")
        (cluster.nodes[gone].kill if how == "kill" else cluster.nodes[gone].stop)()
        assert not cluster.nodes[gone].is_running
        sent = [producer.send("t", b"%d" % i) for i in range(100, 200)]
        for future in sent:
            future.get(timeout=30)
        assert cluster.leader("t") not in (gone, -1)
        assert gone not in isr(cluster, "t")
        producer.flush()
        producer.close()
        found = [int(value) for value in values(cluster, "t", 200)]
        assert sorted(set(found)) == list(range(200))
        cluster.nodes[gone].start()
        until(lambda: isr(cluster, "t") == [1, 2, 3])


def test_a_consumer_group_goes_on_after_each_node_has_restarted() -> None:
    with Cluster(brokers=3) as cluster:
        cluster.create_topic("t")
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all", retries=100)
        consumer = KafkaConsumer(
            "t", bootstrap_servers=cluster.bootstrap_servers, group_id="g", auto_offset_reset="earliest"
        )
        for node in cluster.nodes.values():
            producer.send("t", b"before %d" % node.node_id).get(timeout=30)
            assert next(consumer).value == b"before %d" % node.node_id
            consumer.commit()
            node.restart()
            until(lambda: isr(cluster, "t") == [1, 2, 3])
        producer.close()
        consumer.close()


def test_a_cluster_without_a_majority_waits_for_it() -> None:
    with Cluster(brokers=3) as cluster:
        cluster.create_topic("t")
        for node_id in (1, 2):
            cluster.nodes[node_id].kill()
        for node_id in (1, 2):
            cluster.nodes[node_id].start()
        until(lambda: isr(cluster, "t") == [1, 2, 3])
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all", retries=100)
        producer.send("t", b"value").get(timeout=30)
        producer.close()


def test_what_a_node_is_told_twice_is_an_error() -> None:
    with Cluster(brokers=2) as cluster:
        with pytest.raises(ClusterError, match="node 2 is running"):
            cluster.nodes[2].start()
        cluster.nodes[2].stop()
        with pytest.raises(ClusterError, match="node 2 is not running"):
            cluster.nodes[2].kill()


def test_a_data_dir_is_kept(tmp_path: Path) -> None:
    for round_number in range(2):
        with Cluster(brokers=3, data_dir=str(tmp_path)) as cluster:
            if round_number == 0:
                cluster.create_topic("kept")
                producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all")
                producer.send("kept", b"value").get(timeout=10)
                producer.close()
            assert values(cluster, "kept", 1) == [b"value"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node-1", "node-2", "node-3"]


def test_a_topic_cannot_have_more_replicas_than_there_are_brokers() -> None:
    with Cluster(brokers=2) as cluster, pytest.raises(KafkaError) as caught:
        cluster.create_topic("t", replication_factor=3)
    assert caught.value.code == errors.INVALID_REPLICATION_FACTOR


def test_settings_that_make_the_cluster_are_not_the_users() -> None:
    with pytest.raises(ClusterError, match=r"node\.id"):
        Cluster(brokers=3, config={"node.id": "7"}).start()
    with pytest.raises(ValueError, match="in this process only"):
        Cluster(brokers=3, process=True)


@pytest.mark.parametrize("process", [False, True])
def test_a_single_node_can_go_and_come_back_too(process: bool) -> None:
    with Cluster(process=process) as cluster:
        cluster.create_topic("t")
        (node,) = cluster.nodes.values()
        for go in (node.stop, node.kill):
            producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
            producer.send("t", b"value").get(timeout=10)
            producer.close()
            go()
            node.start()
        assert values(cluster, "t", 2) == [b"value", b"value"]
