"""DescribeQuorum v0-2 (KIP-595): leader, voters and observers of the metadata log.

v1 fetch and catch-up times (KIP-836), v2 directory ids and the voters' addresses (KIP-853).
"""

from __future__ import annotations

from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from klamm.kproto.schema import ZERO_UUID
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

_DIRECTORIES_SINCE = 2


def handle(broker: Broker, context: RequestContext, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
    response = broker.metadata.describe_quorum(request)
    if context.api_version < _DIRECTORIES_SINCE:
        response.nodes = []
        for topic in response.topics:
            for partition in topic.partitions:
                for replica in (*partition.current_voters, *partition.observers):
                    replica.replica_directory_id = ZERO_UUID
    return response
