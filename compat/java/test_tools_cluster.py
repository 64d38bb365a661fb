"""The tools that look at the cluster: API versions, log directories, ids, features, quorum, Kafka's own probe."""

from __future__ import annotations

import json
import re

import pytest

from compat.java.tools import Cli
from compat.scenario import free_name

pytestmark = pytest.mark.needs("java", "javac", "mvn")

# What every broker here must serve, with the versions that Kafka 4.3.1 advertises.
SERVED = """
Produce(0): 0 to 13
Fetch(1): 4 to 18
ListOffsets(2): 1 to 11
Metadata(3): 0 to 13
OffsetCommit(8): 2 to 10
OffsetFetch(9): 1 to 10
FindCoordinator(10): 0 to 6
JoinGroup(11): 0 to 9
Heartbeat(12): 0 to 4
LeaveGroup(13): 0 to 5
SyncGroup(14): 0 to 5
DescribeGroups(15): 0 to 6
ListGroups(16): 0 to 5
SaslHandshake(17): 0 to 1
ApiVersions(18): 0 to 4
CreateTopics(19): 2 to 7
DeleteTopics(20): 1 to 6
DeleteRecords(21): 0 to 2
InitProducerId(22): 0 to 5
OffsetForLeaderEpoch(23): 2 to 4
DescribeConfigs(32): 1 to 4
AlterConfigs(33): 0 to 2
DescribeLogDirs(35): 1 to 5
CreatePartitions(37): 0 to 3
DeleteGroups(42): 0 to 2
IncrementalAlterConfigs(44): 0 to 1
OffsetDelete(47): 0
DescribeQuorum(55): 0 to 2
DescribeCluster(60): 0 to 2
DescribeProducers(61): 0
ListConfigResources(74): 0 to 1
DescribeTopicPartitions(75): 0
"""


def _served(cli: Cli) -> set[str]:
    """The lines "Name(key): versions" of what the broker serves."""
    out = cli.ok("kafka-broker-api-versions").out
    return {f"{name}: {versions}" for name, versions in re.findall(r"\t(\w+\(\d+\)): (.*?) \[usable", out)}


def test_api_versions(cli: Cli) -> None:
    head = cli.ok("kafka-broker-api-versions").lines[0]
    assert re.match(rf"{re.escape(cli.bootstrap)} \(id: {cli.node_id()} rack: null", head)
    wanted = set(SERVED.strip().splitlines())
    assert wanted - _served(cli) == set()


def test_log_directories(cli: Cli) -> None:
    topic = free_name("dirs")
    cli.create_topic(topic, 2)
    cli.produce(topic, 50)
    told = json.loads(cli.ok("kafka-log-dirs", "--describe", "--topic-list", topic).lines[-1])
    (broker,) = told["brokers"]
    assert broker["broker"] == cli.node_id()
    (directory,) = broker["logDirs"]
    assert directory["error"] is None
    sizes = {part["partition"]: part["size"] for part in directory["partitions"]}
    assert set(sizes) == {f"{topic}-0", f"{topic}-1"}
    assert sum(sizes.values()) > 50 * 7
    assert all((part["offsetLag"], part["isFuture"]) == (0, False) for part in directory["partitions"])
    everything = json.loads(cli.ok("kafka-log-dirs", "--describe").lines[-1])
    assert set(sizes) <= {part["partition"] for part in everything["brokers"][0]["logDirs"][0]["partitions"]}


def test_cluster_id_and_endpoints(cli: Cli) -> None:
    (line,) = cli.ok("kafka-cluster", "cluster-id").lines
    assert re.fullmatch(r"Cluster ID: [A-Za-z0-9_-]{22}", line)
    endpoint = cli.ok("kafka-cluster", "list-endpoints").lines[1].split()
    assert ":".join(endpoint[1:3]) == cli.bootstrap
    assert endpoint[4:] == ["unfenced", "broker"]


def test_features(cli: Cli) -> None:
    rows = [dict(re.findall(r"(\w+): (\S+)", line)) for line in cli.ok("kafka-features", "describe").lines]
    features = {row["Feature"]: row for row in rows}
    assert features["metadata.version"]["FinalizedVersionLevel"] == "4.3-IV0"
    assert features["metadata.version"]["SupportedMaxVersion"] == "4.3-IV0"
    assert int(features["kraft.version"]["FinalizedVersionLevel"]) in (0, 1)
    assert all(int(row["Epoch"]) >= 0 for row in rows)


def test_metadata_quorum(cli: Cli) -> None:
    node = cli.node_id()

    def status() -> dict[str, str]:
        return dict(
            re.split(r":\s+", line, maxsplit=1)
            for line in cli.ok("kafka-metadata-quorum", "describe", "--status").lines
        )

    before = status()
    assert f"Cluster ID: {before['ClusterId']}" == cli.ok("kafka-cluster", "cluster-id").lines[0]
    assert (before["LeaderId"], before["MaxFollowerLag"]) == (str(node), "0")
    assert int(before["LeaderEpoch"]) >= 1
    (voter,) = json.loads(before["CurrentVoters"])
    assert voter["id"] == node
    cli.create_topic(free_name("moves-the-log"))
    assert int(status()["HighWatermark"]) > int(before["HighWatermark"])
    header, *rows = cli.ok("kafka-metadata-quorum", "describe", "--replication").lines
    assert header.split()[:4] == ["NodeId", "DirectoryId", "LogEndOffset", "Lag"]
    (row,) = rows
    assert (row.split()[0], row.split()[3], row.split()[-1]) == (str(node), "0", "Leader")


def test_kafkas_own_compatibility_probe(cli: Cli) -> None:
    """ClientCompatibilityTest: produce, consume, offsets for times, cluster id, topics, ACLs and configs by admin."""
    acls = any(line.startswith("DescribeAcls") for line in _served(cli))
    topic = free_name("probe")
    cli.create_topic(topic)
    run = cli.ok(
        "kafka-client-compatibility", "--topic", topic, "--num-cluster-nodes", 1,
        "--offsets-for-times-supported", "true", "--cluster-id-supported", "true",
        "--expect-record-too-large-exception", "false", "--create-topics-supported", "true",
        "--describe-acls-supported", str(acls).lower(), "--describe-configs-supported", "true",
        "--idempotent-producer-supported", "true",
    )  # fmt: skip
    assert "SUCCESS" in run.out
