"""ListPartitionReassignments over the wire: nothing moves in a cluster of one."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)
from klamm.testing.wire import WireClient

Topics = ListPartitionReassignmentsRequest.ListPartitionReassignmentsTopics


@pytest.mark.parametrize("topics", [None, [], [Topics(name="no-such", partition_indexes=[0])]])
def test_nothing_moves(wire: WireClient, topics: list[Topics] | None) -> None:
    request = ListPartitionReassignmentsRequest(topics=topics)
    answer = wire.ask(request, 0, ListPartitionReassignmentsResponse)
    assert (answer.error_code, answer.topics) == (errors.NONE, [])
