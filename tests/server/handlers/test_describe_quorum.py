"""DescribeQuorum: every version has an answer; directory ids and addresses since version 2 (KIP-853)."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from klamm.testing.wire import WireClient

Topic = DescribeQuorumRequest.TopicData


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_quorum(wire: WireClient, version: int) -> None:
    partitions = [Topic.PartitionData(partition_index=0)]
    request = DescribeQuorumRequest(topics=[Topic(topic_name="__cluster_metadata", partitions=partitions)])
    answer = wire.ask(request, version, DescribeQuorumResponse)
    (partition,) = answer.topics[0].partitions
    assert (answer.error_code, partition.error_code, len(partition.current_voters)) == (errors.NONE, errors.NONE, 1)
    assert any(partition.current_voters[0].replica_directory_id) == (version == 2)
