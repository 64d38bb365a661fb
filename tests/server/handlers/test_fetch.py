"""Fetch as Kafka 4.3 answers it: what is missing comes last, limits below zero, unknown epochs, isolation levels."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors, records
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
