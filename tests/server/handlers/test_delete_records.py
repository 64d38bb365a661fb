"""DeleteRecords: each partition once in the answer, topics without partitions not at all."""

from __future__ import annotations

from klamm.kproto.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = DeleteRecordsRequest.DeleteRecordsTopic


def test_each_partition_once(cluster: Cluster, wire: WireClient) -> None:
    cluster.create_topic("t", partitions=1)
    twice = [Topic.DeleteRecordsPartition(partition_index=0, offset=0)] * 2
    topics = [Topic(name="u", partitions=[]), Topic(name="t", partitions=twice)]
    answer = wire.ask(DeleteRecordsRequest(topics=topics, timeout_ms=1000), 2, DeleteRecordsResponse)
    assert [(t.name, [p.partition_index for p in t.partitions]) for t in answer.topics] == [("t", [0])]
