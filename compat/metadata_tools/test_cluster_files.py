"""What Kafka's tools read in the metadata of three klamm nodes after their quorum's leader has changed twice."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compat.java.tools import Cli, Tools
from compat.klamm_cluster import KlammCluster
from compat.metadata_tools.shell import image_tree, normal_tree

pytestmark = pytest.mark.needs("java", "javac", "mvn")
_SETTINGS = {
    "metadata.log.max.record.bytes.between.snapshots": "3000",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
_SETTLE_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    jvm = Tools(tmp_path_factory.mktemp("jvm"))
    yield jvm
    jvm.close()


def _status(cli: Cli) -> dict[str, str]:
    out = cli.run("kafka-metadata-quorum", "describe", "--status").out
    return {name: value.strip() for name, _, value in (line.partition(":") for line in out.splitlines())}


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SETTLE_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _work(cli: Cli, name: str) -> None:
    cli.ok("kafka-topics", "--create", "--topic", name, "--partitions", 20, "--replication-factor", 3)
    cli.ok(
        "kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", name, "--add-config", "retention.ms=7"
    )
    cli.ok("kafka-topics", "--create", "--topic", f"{name}.gone")
    cli.ok("kafka-topics", "--delete", "--topic", f"{name}.gone")


def _are_whole(cli: Cli) -> bool:
    run = cli.run("kafka-topics", "--describe", "--under-replicated-partitions")
    lag = _status(cli).get("MaxFollowerLag")
    return run.status == 0 and not run.out.replace("exit 0", "").replace("ToolRunner$Ended:", "").strip() and lag == "0"


@pytest.fixture(scope="module")
def nodes(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The metadata directories of the nodes, all killed at rest."""
    cluster = KlammCluster(3, _SETTINGS)
    copies = tmp_path_factory.mktemp("nodes")
    try:
        cluster.start()
        cli = Cli(tools, cluster.bootstrap)
        _work(cli, "first")
        for number, is_kill in enumerate((False, True)):
            leader = int(_status(cli)["LeaderId"])
            if is_kill:
                cluster.kill(leader)
            else:
                cluster.stop([leader])
            _until(lambda gone=leader: _status(cli).get("LeaderId", str(gone)) != str(gone))  # type: ignore[misc]
            _work(cli, f"after-{number}")
            cluster.start([leader])
            _until(lambda: _are_whole(cli))
        assert int(_status(cli)["LeaderEpoch"]) >= 3
        assert len(json.loads(_status(cli)["CurrentVoters"])) == 3
        cluster.kill()
        return [
            Path(shutil.copytree(cluster.data_dir(node_id), copies / str(node_id))) / "__cluster_metadata-0"
            for node_id in cluster.nodes
        ]
    finally:
        cluster.remove()


def test_the_shell_shows_the_same_cluster_on_every_node(nodes: list[Path]) -> None:
    trees = [image_tree(max(directory.glob("*.log"))) for directory in nodes]
    snapshots = [max(directory.glob("*.checkpoint")) for directory in nodes]
    assert all(not file.name.startswith("0" * 20) for file in snapshots)
    normal = [normal_tree(tree) for tree in trees]
    assert normal[0] == normal[1] == normal[2]
    for name in ("first", "after-0", "after-1"):
        assert f"{name}:" in [line.strip() for line in normal[0]]
    assert not any(".gone" in line for line in normal[0])
    for file in snapshots:
        assert "first:" in [line.strip() for line in image_tree(file).splitlines()]


def test_dump_log_reads_every_record_of_every_node(nodes: list[Path], tools: Tools) -> None:
    changes = []
    for directory in nodes:
        told = ""
        for file in [*directory.glob("*.checkpoint"), *directory.glob("*.log")]:
            run = tools.run("kafka-dump-log", "--cluster-metadata-decoder", "--files", file)
            assert run.status == 0 and "Could not decode" not in run.out, run.out
            batches = [line for line in run.lines if line.startswith("baseOffset:")]
            assert batches and all("isvalid: true" in line for line in batches), run.out
            told += run.out
        changes.append(told.count("LeaderChange"))
    assert min(changes) >= 3
