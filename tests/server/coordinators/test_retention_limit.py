"""A commit whose own retention goes beyond what an int64 can hold is kept as long as one can."""

from __future__ import annotations

from klamm.kproto.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = OffsetCommitRequest.OffsetCommitRequestTopic


def test_the_greatest_retention() -> None:
    partition = Topic.OffsetCommitRequestPartition(partition_index=0, committed_offset=5, committed_metadata="")
    request = OffsetCommitRequest(
        group_id="g",
        generation_id_or_member_epoch=-1,
        retention_time_ms=(1 << 63) - 1,
        topics=[Topic(name="t", partitions=[partition])],
    )
    with Cluster() as cluster:
        cluster.create_topic("t")
        cluster.create_topic("__consumer_offsets", partitions=5)
        with WireClient(cluster.bootstrap_servers) as client:
            response = client.ask(request, 4, OffsetCommitResponse)
    assert response.topics[0].partitions[0].error_code == 0
