"""ElectLeaders over the wire, where the only broker leads everything already."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse
from klamm.testing import Cluster
from klamm.testing.wire import WireClient


@pytest.mark.parametrize("version", [0, 1, 2])
def test_nothing_to_elect(cluster: Cluster, wire: WireClient, version: int) -> None:
    cluster.create_topic(f"t{version}")
    asked = [ElectLeadersRequest.TopicPartitions(topic=f"t{version}", partitions=[0, 7])]
    answer = wire.ask(ElectLeadersRequest(topic_partitions=asked), version, ElectLeadersResponse)
    assert answer.error_code == errors.NONE
    codes = {row.partition_id: row.error_code for t in answer.replica_election_results for row in t.partition_result}
    assert codes == {0: errors.ELECTION_NOT_NEEDED, 7: errors.UNKNOWN_TOPIC_OR_PARTITION}


@pytest.mark.parametrize("version", [1, 2])
def test_an_election_type_that_does_not_exist(cluster: Cluster, wire: WireClient, version: int) -> None:
    asked = [ElectLeadersRequest.TopicPartitions(topic="any", partitions=[0, 7])]
    answer = wire.ask(ElectLeadersRequest(election_type=2, topic_partitions=asked), version, ElectLeadersResponse)
    assert answer.error_code == errors.INVALID_REQUEST
    [topic] = answer.replica_election_results
    assert [(row.partition_id, row.error_code) for row in topic.partition_result] == [
        (0, errors.INVALID_REQUEST),
        (7, errors.INVALID_REQUEST),
    ]
