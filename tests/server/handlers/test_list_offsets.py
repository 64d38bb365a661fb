"""ListOffsets as Kafka 4.3 answers it: partitions named twice, wrong epochs and isolation levels, empty partitions."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = ListOffsetsRequest.ListOffsetsTopic
Partition = Topic.ListOffsetsPartition


@pytest.fixture(scope="module", autouse=True)
def topic(cluster: Cluster) -> None:
    cluster.create_topic("t", partitions=2)


def ask(
    wire: WireClient, *topics: tuple[str, list[Partition]], isolation_level: int = 0
) -> list[tuple[str, list[int]]]:
    """(topic, error codes of its partitions) in the order of the answer."""
    rows = [Topic(name=name, partitions=partitions) for name, partitions in topics]
    request = ListOffsetsRequest(replica_id=-1, isolation_level=isolation_level, topics=rows)
    answer = wire.ask(request, 7, ListOffsetsResponse)
    return [(t.name, [p.error_code for p in t.partitions]) for t in answer.topics]


def latest(index: int, epoch: int = -1) -> Partition:
    return Partition(partition_index=index, timestamp=-1, current_leader_epoch=epoch)


def test_a_partition_that_is_named_twice_is_refused_once(wire: WireClient) -> None:
    assert ask(wire, ("t", [latest(0), latest(0), latest(1)])) == [("t", [errors.INVALID_REQUEST, errors.NONE])]
    assert ask(wire, ("t", [latest(0)]), ("t", [latest(0)])) == [("t", [errors.INVALID_REQUEST])]


def test_a_topic_without_partitions_is_left_out(wire: WireClient) -> None:
    assert ask(wire, ("t", []), ("u", [latest(0)])) == [("u", [errors.UNKNOWN_TOPIC_OR_PARTITION])]


@pytest.mark.parametrize(
    ("epoch", "code"),
    [(-1, errors.NONE), (0, errors.NONE), (1, errors.UNKNOWN_LEADER_EPOCH), (-2, errors.FENCED_LEADER_EPOCH)],
)
def test_leader_epochs(wire: WireClient, epoch: int, code: int) -> None:
    assert ask(wire, ("t", [latest(0, epoch)])) == [("t", [code])]


def test_an_isolation_level_that_does_not_exist(wire: WireClient) -> None:
    assert ask(wire, ("t", [latest(0)]), isolation_level=2) == [("t", [errors.UNKNOWN_SERVER_ERROR])]


def test_an_empty_partition_knows_its_leader_epoch(wire: WireClient) -> None:
    earliest = Partition(partition_index=0, timestamp=-2, current_leader_epoch=-1)
    request = ListOffsetsRequest(replica_id=-1, topics=[Topic(name="t", partitions=[earliest])])
    found = wire.ask(request, 7, ListOffsetsResponse).topics[0].partitions[0]
    assert (found.offset, found.leader_epoch) == (0, 0)
