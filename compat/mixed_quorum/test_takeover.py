"""A controller of the other kind joins a quorum late, with a snapshot, votes, and takes over when the first one leaves.

What one kind has written (snapshots, records, voter sets) the other one reads and goes on with.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from compat import kafka_cluster, klamm_cluster
from compat.cluster import ClusterTarget, NodeTarget
from compat.cluster_tools.voter_records import voter_records
from compat.controller_files import directory_id, log_begins, snapshots, write_own_settings
from compat.java.tools import Cli, Tools

pytestmark = pytest.mark.needs("java", "javac", "mvn")

FIRST, JOINER = 101, 102
_SETTINGS = {
    "metadata.log.max.record.bytes.between.snapshots": "3000",
    "controller.quorum.fetch.snapshot.max.bytes": "700",  # a snapshot comes in several pieces
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "default.replication.factor": "1",
}
_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 10.0
_QUORUM = "kafka-metadata-quorum"
NewController = Callable[[int, Path, str, Mapping[str, str]], NodeTarget]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    jvm = Tools(tmp_path_factory.mktemp("jvm"))
    yield jvm
    jvm.close()


@pytest.mark.parametrize(
    ("kind", "new_controller"),
    [
        (klamm_cluster.KlammCluster, kafka_cluster.new_controller),
        (kafka_cluster.KafkaCluster, klamm_cluster.new_controller),
    ],
    ids=["a real controller in klamm's quorum", "klamm's controller in a real quorum"],
)
def test_a_controller_of_the_other_kind_takes_over(
    kind: type[klamm_cluster.KlammCluster] | type[kafka_cluster.KafkaCluster],
    new_controller: NewController,
    tools: Tools,
    tmp_path: Path,
) -> None:
    cluster = kind(1, _SETTINGS, controllers=1)
    first = cluster.nodes[FIRST]
    joiner = new_controller(JOINER, tmp_path / "joiner", first.quorum_address, _SETTINGS)
    for node in (*cluster.nodes.values(), joiner):
        node.set({"controller.quorum.bootstrap.servers": f"{first.quorum_address},{joiner.quorum_address}"})
    try:
        cluster.start()
        cli = Cli(tools, cluster.bootstrap)
        for number in range(3):
            cli.create_topic(f"before-{number}", 20)
        _until(lambda: bool(snapshots(first)), "the first controller has a snapshot")
        joiner.start()
        _until(lambda: JOINER in _ids(cli, "CurrentObservers"), "the joiner observes")
        _until(lambda: log_begins(joiner) in snapshots(joiner), "its log begins behind a snapshot")
        _takes_over(cli, cluster, joiner, tmp_path)
        for node in (*cluster.nodes.values(), joiner):
            assert "fault: " not in node.log_file.read_text(errors="replace"), f"{node.name}: see {node.log_file}"
    finally:
        joiner.kill()
        cluster.remove()


def _takes_over(cli: Cli, cluster: ClusterTarget, joiner: NodeTarget, directory: Path) -> None:
    epoch = _status(cli)["LeaderEpoch"]
    cli.ok(_QUORUM, "--command-config", write_own_settings(joiner, directory / "joiner.properties"), "add-controller")
    _until(lambda: _ids(cli, "CurrentVoters") == {FIRST, JOINER}, "both vote")
    assert _status(cli)["LeaderEpoch"] == epoch, "the leader has lost its epoch to its second voter"
    cli.create_topic("with-both", 3, retention_ms="7")
    first = cluster.nodes[FIRST]
    cli.ok(
        _QUORUM, "remove-controller", "--controller-id", FIRST, "--controller-directory-id", directory_id(first)
    )  # fmt: skip
    _until(lambda: _status(cli).get("LeaderId") == str(JOINER), "the joiner leads")
    assert _ids(cli, "CurrentVoters") == {JOINER}
    first.stop()
    cli.create_topic("after", 2)
    _produce(cli, "after")
    cluster.brokers[0].restart(kill=True)
    _produce(cli, "after")
    ends = [int(line.rpartition(":")[2]) for line in cli.ok("kafka-get-offsets", "--topic", "after").lines]
    assert sum(ends) == 20
    topics = {line for line in cli.ok("kafka-topics", "--list").lines if not line.startswith("__")}
    assert topics == {"before-0", "before-1", "before-2", "with-both", "after"}
    assert "retention.ms=7" in cli.ok("kafka-topics", "--describe", "--topic", "with-both").out
    told = [re.findall(r"(\d+) directory", line) for line in voter_records(joiner.log_dirs[0]) if "voters" in line]
    assert told == [["101", "102"], ["102"]]


def _produce(cli: Cli, topic: str) -> None:
    """Ten records by a producer that takes its time: a broker may lead later than the metadata says."""
    cli.ok(
        "kafka-producer-perf-test", "--topic", topic, "--num-records", 10, "--record-size", 10, "--throughput", -1
    )  # fmt: skip


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {_TIMEOUT_S:.0f} s: {what}"
        time.sleep(0.1)


def _status(cli: Cli) -> dict[str, str]:
    out = cli.run(_QUORUM, "describe", "--status", timeout_s=_ANSWER_TIMEOUT_S).out
    return {name: value.strip() for name, _, value in (line.partition(":") for line in out.splitlines())}


def _ids(cli: Cli, kind: str) -> set[int]:
    return {row["id"] for row in json.loads(_status(cli).get(kind, "[]"))}
