"""kafka-reassign-partitions and kafka-log-dirs on brokers with two directories each, klamm's or real Kafka's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.cluster import ClusterTarget
from compat.java.tools import Cli, Tools
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster

pytestmark = pytest.mark.needs("java", "javac", "mvn")

SETTINGS = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "400"}
RECORDS, RECORD_BYTES = 4000, 1000
THROTTLE = "replica.alter.log.dirs.io.max.bytes.per.second"
WITHIN_S = 90.0

Place = tuple[int, str]
"""A broker and the name of its directory."""


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterTarget]:
    if request.config.getoption("--target") == "kafka":
        with KafkaCluster(3, SETTINGS, log_dirs=2) as kafka:
            yield kafka
        return
    klamm = KlammCluster(3, SETTINGS)
    for node_id, node in klamm.nodes.items():
        node.set({"log.dirs": f"{directory(klamm, node_id, 'data')},{directory(klamm, node_id, 'data-1')}"})
    with klamm:
        yield klamm


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    jvm = Tools(tmp_path_factory.mktemp("jvm"))
    yield jvm
    jvm.close()


@pytest.fixture(scope="module")
def cli(tools: Tools, cluster: ClusterTarget) -> Cli:
    return Cli(tools, cluster.bootstrap)


def directory(cluster: ClusterTarget, node_id: int, name: str) -> Path:
    return cluster.directory / f"node-{node_id}" / name


def create(cli: Cli, topic: str, *replicas: str) -> None:
    cli.ok("kafka-topics", "--create", "--topic", topic, "--replica-assignment", ",".join(replicas))
    cli.ok("kafka-producer-perf-test", "--topic", topic, "--num-records", RECORDS, "--record-size", RECORD_BYTES,
           "--throughput", -1, "--command-property", "acks=all")  # fmt: skip


def logs(cli: Cli, topic: str) -> dict[int, list[tuple[int, str, bool]]]:
    """Partition -> broker, directory and whether it is a copy on its way, as kafka-log-dirs tells."""
    found: dict[int, list[tuple[int, str, bool]]] = {}
    told = cli.ok("kafka-log-dirs", "--describe", "--topic-list", topic)
    for broker in json.loads(told.lines[-1])["brokers"]:
        for log_dir in broker["logDirs"]:
            for row in log_dir["partitions"]:
                index = int(row["partition"].rpartition("-")[2])
                place = broker["broker"], Path(log_dir["logDir"]).name, row["isFuture"]
                found.setdefault(index, []).append(place)
    return {index: sorted(places) for index, places in sorted(found.items())}


def plan(cluster: ClusterTarget, file: Path, topic: str, *rows: list[Place]) -> Path:
    """What kafka-reassign-partitions takes: for each partition the replicas and their directories."""
    partitions: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        dirs = ["any" if name == "any" else str(directory(cluster, node_id, name)) for node_id, name in row]
        replicas = [node_id for node_id, _ in row]
        partitions.append({"topic": topic, "partition": index, "replicas": replicas, "log_dirs": dirs})
    file.write_text(json.dumps({"version": 1, "partitions": partitions}))
    return file


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def verified(cli: Cli, file: Path) -> list[str]:
    return cli.ok(
        "kafka-reassign-partitions", "--verify", "--reassignment-json-file", file, "--preserve-throttles"
    ).lines


def other(name: str) -> str:
    return "data" if name == "data-1" else "data-1"


def count(cli: Cli, topic: str) -> int:
    rows = cli.ok("kafka-get-offsets", "--topic", topic).lines
    return sum(int(row.rpartition(":")[2]) for row in rows)


def test_replicas_move_to_brokers_and_directories(cluster: ClusterTarget, cli: Cli, tmp_path: Path) -> None:
    create(cli, "moved", "1:2", "2:3")
    before = logs(cli, "moved")
    (_, first, _), (_, second, _) = before[0][0], before[1][0]
    wanted: list[list[Place]] = [[(1, other(first)), (3, "data-1")], [(3, "any"), (2, other(second))]]
    file = plan(cluster, tmp_path / "plan.json", "moved", *wanted)
    cli.ok("kafka-reassign-partitions", "--execute", "--reassignment-json-file", file)
    until(lambda: sum("is completed" in line or "completed successfully" in line for line in verified(cli, file)) == 5)
    after = logs(cli, "moved")
    assert after[0] == [(1, other(first), False), (3, "data-1", False)]
    assert after[1][0] == (2, other(second), False)
    assert [node_id for node_id, _, _ in after[1]] == [2, 3]
    assert count(cli, "moved") == RECORDS


def test_a_move_outlives_the_broker(cluster: ClusterTarget, cli: Cli, tmp_path: Path) -> None:
    create(cli, "slow", "1:2")
    (_, name, _), _ = logs(cli, "slow")[0]
    stays = logs(cli, "slow")[0][1]
    file = plan(cluster, tmp_path / "slow.json", "slow", [(1, other(name)), (2, stays[1])])
    cli.ok("kafka-reassign-partitions", "--execute", "--reassignment-json-file", file,
           "--replica-alter-log-dirs-throttle", 1000)  # fmt: skip
    under_way = [(1, name, False), (1, other(name), True), stays]
    until(lambda: logs(cli, "slow")[0] == sorted(under_way))
    cluster.kill(1)
    cluster.start([1])
    until(lambda: logs(cli, "slow")[0] == sorted(under_way))
    broker = ("--alter", "--entity-type", "brokers", "--entity-name", 1, "--delete-config", THROTTLE)
    cli.ok("kafka-configs", *broker)
    until(lambda: logs(cli, "slow")[0] == [(1, other(name), False), stays])
    assert any("completed successfully" in line for line in verified(cli, file))
    assert count(cli, "slow") == RECORDS


def test_a_cordoned_directory_takes_nothing_new(cluster: ClusterTarget, cli: Cli, tmp_path: Path) -> None:
    broker = ("--alter", "--entity-type", "brokers", "--entity-name", 3)
    cli.ok("kafka-configs", *broker, "--add-config", f"cordoned.log.dirs={directory(cluster, 3, 'data')}")
    cli.ok("kafka-topics", "--create", "--topic", "kept", "--replica-assignment", "3,3,3,3")
    until(lambda: len(logs(cli, "kept")) == 4)
    assert {place for places in logs(cli, "kept").values() for place in places} == {(3, "data-1", False)}
    file = plan(cluster, tmp_path / "cordoned.json", "kept", [(3, "data")])
    refused = cli.run("kafka-reassign-partitions", "--execute", "--reassignment-json-file", file)
    assert "InvalidReplicaAssignmentException" in refused.out + refused.err, refused
    cli.ok("kafka-configs", *broker, "--delete-config", "cordoned.log.dirs")
    cli.ok("kafka-reassign-partitions", "--execute", "--reassignment-json-file", file)
    until(lambda: logs(cli, "kept")[0] == [(3, "data", False)])
