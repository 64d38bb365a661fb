"""Fetch as Kafka 4.3 answers it: what is missing comes last, limits below zero, unknown epochs, isolation levels."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.kproto.record_codec import Record
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = FetchRequest.FetchTopic
Asked = MetadataRequest.MetadataRequestTopic
Produced = ProduceRequest.TopicProduceData
BATCH = records.build_batch([Record(0, 1_600_000_000_000, b"k", b"v")])


@pytest.fixture(scope="module", autouse=True)
def topic(cluster: Cluster, wire: WireClient) -> None:
    cluster.create_topic("t", partitions=1)
    rows = [Produced(name="t", partition_data=[Produced.PartitionProduceData(index=0, records=BATCH)])]
    answer = wire.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=rows), 9, ProduceResponse)
    assert answer.responses[0].partition_responses[0].error_code == errors.NONE


def want(name: str, **more: Any) -> Topic:
    values: dict[str, Any] = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1000, **more}
    return Topic(topic=name, partitions=[Topic.FetchPartition(**values)])


def ask(wire: WireClient, *topics: Topic, **more: Any) -> FetchResponse:
    request = FetchRequest(max_wait_ms=0, min_bytes=0, topics=list(topics), **more)
    return wire.ask(request, 12, FetchResponse)


def codes(answer: FetchResponse) -> list[tuple[str, int]]:
    return [(t.topic, p.error_code) for t in answer.responses for p in t.partitions]


def test_what_is_missing_comes_last(wire: WireClient) -> None:
    answer = ask(wire, want("missing"), want("t"))
    assert codes(answer) == [("t", errors.NONE), ("missing", errors.UNKNOWN_TOPIC_OR_PARTITION)]
    assert answer.responses[1].partitions[0].aborted_transactions == []


def test_a_negative_limit(wire: WireClient) -> None:
    assert codes(ask(wire, want("t", partition_max_bytes=-1))) == [("t", errors.UNKNOWN_SERVER_ERROR)]
    assert codes(ask(wire, want("t"), max_bytes=-1)) == [("t", errors.UNKNOWN_SERVER_ERROR)]
    # At the end of the log there is nothing to read, and so nothing to refuse.
    assert codes(ask(wire, want("t", partition_max_bytes=-1, fetch_offset=1))) == [("t", errors.NONE)]


def test_a_fetched_epoch_that_the_log_never_had(wire: WireClient) -> None:
    assert codes(ask(wire, want("t", last_fetched_epoch=7))) == [("t", errors.OFFSET_OUT_OF_RANGE)]


def test_unknown_ids_come_before_missing_partitions(wire: WireClient) -> None:
    (known,) = wire.ask(MetadataRequest(topics=[Asked(name="t")]), 12, MetadataResponse).topics
    asked = [
        Topic(
            topic_id=known.topic_id,
            partitions=[Topic.FetchPartition(partition=7, fetch_offset=0, partition_max_bytes=9)],
        ),
        Topic(
            topic_id=b"?" * 16, partitions=[Topic.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=9)]
        ),
    ]
    answer = wire.ask(FetchRequest(max_wait_ms=0, min_bytes=0, topics=asked), 13, FetchResponse)
    codes_in_order = [p.error_code for t in answer.responses for p in t.partitions]
    assert codes_in_order == [errors.UNKNOWN_TOPIC_ID, errors.UNKNOWN_TOPIC_OR_PARTITION]


def test_a_log_that_diverges_tells_no_aborted_transactions(wire: WireClient) -> None:
    answer = ask(wire, want("t", last_fetched_epoch=0, fetch_offset=5), isolation_level=1)
    (partition,) = answer.responses[0].partitions
    assert (partition.diverging_epoch.end_offset, partition.aborted_transactions) == (1, None)


def test_an_isolation_level_that_does_not_exist(wire: WireClient) -> None:
    answer = ask(wire, want("t"), isolation_level=2)
    assert answer.error_code == errors.UNKNOWN_SERVER_ERROR
    assert codes(answer) == [("t", errors.UNKNOWN_SERVER_ERROR)]


def test_a_session_may_begin_empty(wire: WireClient) -> None:
    assert ask(wire, session_id=0, session_epoch=0).session_id != 0


def test_followers_that_are_none(wire: WireClient) -> None:
    # With the right epoch it may know of a replica that the leader does not know of yet.
    answer = ask(wire, want("t", current_leader_epoch=0), replica_id=7)
    assert codes(answer) == [("t", errors.UNKNOWN_LEADER_EPOCH)]
    assert codes(ask(wire, want("t"), replica_id=7)) == [("t", errors.NOT_LEADER_OR_FOLLOWER)]
    state = FetchRequest.ReplicaState(replica_id=7, replica_epoch=0)
    (known,) = wire.ask(MetadataRequest(topics=[Asked(name="t")]), 12, MetadataResponse).topics
    row = Topic.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=9)
    asked = [Topic(topic_id=known.topic_id, partitions=[row])]
    answer = wire.ask(FetchRequest(max_wait_ms=0, topics=asked, replica_state=state), 16, FetchResponse)
    (partition,) = answer.responses[0].partitions
    assert partition.error_code == errors.NOT_LEADER_OR_FOLLOWER
    assert partition.current_leader.leader_id >= 0
    assert answer.node_endpoints == []  # followers know their leaders' addresses by the metadata


def test_a_session_goes_by_the_name_that_an_id_stood_for(cluster: Cluster, wire: WireClient) -> None:
    cluster.create_topic("replaced", partitions=1)
    (known,) = wire.ask(MetadataRequest(topics=[Asked(name="replaced")]), 12, MetadataResponse).topics
    row = Topic.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=9)
    asked = [Topic(topic_id=known.topic_id, partitions=[row])]
    begun = wire.ask(FetchRequest(max_wait_ms=0, topics=asked, session_epoch=0), 13, FetchResponse)

    def seen(epoch: int) -> list[int]:
        request = FetchRequest(max_wait_ms=0, topics=[], session_id=begun.session_id, session_epoch=epoch)
        return [p.error_code for t in wire.ask(request, 13, FetchResponse).responses for p in t.partitions]

    wire.ask(DeleteTopicsRequest(topic_names=["replaced"], timeout_ms=1000), 5, DeleteTopicsResponse)
    cluster.create_topic("later", partitions=1)  # when that is there, the other one is gone
    assert seen(1) == [errors.UNKNOWN_TOPIC_OR_PARTITION]
    cluster.create_topic("replaced", partitions=1)
    assert seen(2) == [errors.INCONSISTENT_TOPIC_ID]
    # Without a session nobody remembers the name.
    answer = wire.ask(FetchRequest(max_wait_ms=0, topics=asked), 13, FetchResponse)
    assert [p.error_code for t in answer.responses for p in t.partitions] == [errors.UNKNOWN_TOPIC_ID]
