"""AlterPartitionReassignments over the wire: errors of single partitions, and a move to where it is."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
)
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = AlterPartitionReassignmentsRequest.ReassignableTopic


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("topic", "replicas", "code"),
    [
        ("t{version}", [1], errors.NONE),
        ("t{version}", [9], errors.INVALID_REPLICA_ASSIGNMENT),
        ("t{version}", None, errors.NO_REASSIGNMENT_IN_PROGRESS),
        ("no-such", [1], errors.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_partitions(
    cluster: Cluster, wire: WireClient, version: int, topic: str, replicas: list[int] | None, code: int
) -> None:
    if f"t{version}" not in cluster.topics():
        cluster.create_topic(f"t{version}")
    rows = [Topic.ReassignablePartition(partition_index=0, replicas=replicas)]
    request = AlterPartitionReassignmentsRequest(topics=[Topic(name=topic.format(version=version), partitions=rows)])
    answer = wire.ask(request, version, AlterPartitionReassignmentsResponse)
    assert answer.error_code == errors.NONE
    assert [row.error_code for t in answer.responses for row in t.partitions] == [code]
