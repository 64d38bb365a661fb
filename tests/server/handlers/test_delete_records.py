"""DeleteRecords: each partition once in the answer, topics without partitions not at all."""

from __future__ import annotations

from klamm.kproto import errors, records
from klamm.kproto.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.kproto.record_codec import Record
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = DeleteRecordsRequest.DeleteRecordsTopic


def test_each_partition_once(cluster: Cluster, wire: WireClient) -> None:
    cluster.create_topic("t", partitions=1)
    twice = [Topic.DeleteRecordsPartition(partition_index=0, offset=0)] * 2
    topics = [Topic(name="u", partitions=[]), Topic(name="t", partitions=twice)]
    answer = wire.ask(DeleteRecordsRequest(topics=topics, timeout_ms=1000), 2, DeleteRecordsResponse)
    assert [(t.name, [p.partition_index for p in t.partitions]) for t in answer.topics] == [("t", [0])]


def test_of_two_offsets_the_last_counts_and_no_more_is_deleted(cluster: Cluster, wire: WireClient) -> None:
    cluster.create_topic("twice", partitions=1)
    batch = records.build_batch([Record(n, 1_600_000_000_000, b"k", b"v") for n in range(3)])
    data = ProduceRequest.TopicProduceData
    rows = [data(name="twice", partition_data=[data.PartitionProduceData(index=0, records=batch)])]
    wire.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=rows), 9, ProduceResponse)
    topics = [
        Topic(name="twice", partitions=[Topic.DeleteRecordsPartition(partition_index=0, offset=offset)])
        for offset in (-1, 1)
    ]
    answer = wire.ask(DeleteRecordsRequest(topics=topics, timeout_ms=1000), 2, DeleteRecordsResponse)
    assert [(p.error_code, p.low_watermark) for t in answer.topics for p in t.partitions] == [(0, 1)]


def test_internal_topics_that_are_not_there_yet_are_unknown(wire: WireClient) -> None:
    topics = [Topic(name="__share_group_state", partitions=[Topic.DeleteRecordsPartition(partition_index=0, offset=0)])]
    answer = wire.ask(DeleteRecordsRequest(topics=topics, timeout_ms=1000), 2, DeleteRecordsResponse)
    assert answer.topics[0].partitions[0].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
