"""`klamm.testing.Cluster` in all its forms, used as a test author would."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.testing import Cluster, ClusterError


def round_trip(servers: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=servers)
    producer.send(topic, b"value", key=b"key").get(timeout=10)
    producer.close()
    consumer = KafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    record = next(consumer)
    consumer.close()
    assert (record.key, record.value, record.offset) == (b"key", b"value", 0)


@pytest.mark.parametrize("process", [False, True])
def test_a_cluster_serves_and_goes_without_trace(process: bool) -> None:
    threads = {t.name for t in threading.enumerate()}
    with Cluster(process=process) as cluster:
        cluster.create_topic("t", partitions=3)
        assert cluster.topics() == ["t"]
        round_trip(cluster.bootstrap_servers, "t")
    assert {t.name for t in threading.enumerate()} == threads
    with pytest.raises(ClusterError):
        _ = cluster.bootstrap_servers
    cluster.stop()


async def test_it_is_an_async_context_manager_too() -> None:
    async with Cluster() as cluster:
        assert cluster.bootstrap_servers.startswith("127.0.0.1:")
        assert cluster.topics() == []


def test_many_clusters_side_by_side() -> None:
    clusters = [Cluster() for _ in range(5)]
    try:
        addresses = {cluster.start().bootstrap_servers for cluster in clusters}
        assert len(addresses) == 5
        for i, cluster in enumerate(clusters):
            cluster.create_topic(f"only-in-{i}")
        for i, cluster in enumerate(clusters):
            assert cluster.topics() == [f"only-in-{i}"]
    finally:
        for cluster in clusters:
            cluster.stop()


def test_reset_empties_it() -> None:
    with Cluster() as cluster:
        cluster.create_topic("t")
        round_trip(cluster.bootstrap_servers, "t")
        consumer = KafkaConsumer(
            "t", bootstrap_servers=cluster.bootstrap_servers, group_id="g", auto_offset_reset="earliest"
        )
        next(consumer)
        consumer.close()
        cluster.reset()
        assert cluster.topics() == []
        cluster.create_topic("t")
        round_trip(cluster.bootstrap_servers, "t")


def test_settings_are_kafkas() -> None:
    with Cluster(config={"num.partitions": "4", "auto.create.topics.enable": "true"}) as cluster:
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
        assert len(producer.partitions_for("created-by-asking")) == 4
        producer.close()


def test_a_bad_setting_is_told() -> None:
    with pytest.raises(ClusterError, match=r"num\.partitions"):
        Cluster(config={"num.partitions": "many"}).start()
    with pytest.raises(ClusterError, match=r"num\.partitions"):
        Cluster(config={"num.partitions": "many"}, process=True).start()


def test_errors_have_kafkas_codes() -> None:
    with Cluster() as cluster:
        cluster.create_topic("t")
        with pytest.raises(KafkaError) as caught:
            cluster.create_topic("t")
        assert caught.value.code == errors.TOPIC_ALREADY_EXISTS


@pytest.mark.parametrize("process", [False, True])
def test_a_data_dir_is_kept(tmp_path: Path, process: bool) -> None:
    with Cluster(data_dir=str(tmp_path), process=process) as cluster:
        cluster.create_topic("kept")
        round_trip(cluster.bootstrap_servers, "kept")
    assert (tmp_path / "meta.properties").exists()
    with Cluster(data_dir=str(tmp_path), process=process) as cluster:
        assert cluster.topics() == ["kept"]
        consumer = KafkaConsumer("kept", bootstrap_servers=cluster.bootstrap_servers, auto_offset_reset="earliest")
        assert next(consumer).value == b"value"
        consumer.close()


def test_one_data_dir_is_for_one_cluster(tmp_path: Path) -> None:
    with Cluster(data_dir=str(tmp_path)), pytest.raises(ClusterError, match="in use"):
        Cluster(data_dir=str(tmp_path)).start()


def test_no_file_is_written_without_a_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Cluster() as cluster:
        cluster.create_topic("t")
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("scope", ["klamm_cluster", "klamm_module_cluster", "klamm_session_cluster"])
def test_the_fixtures(scope: str, request: pytest.FixtureRequest) -> None:
    cluster: Cluster = request.getfixturevalue(scope)
    cluster.create_topic("from-the-fixture")
    round_trip(cluster.bootstrap_servers, "from-the-fixture")
