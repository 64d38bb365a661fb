"""DescribeQuorum v0-2 (KIP-595): leader, voters and observers of the metadata log.

v1 fetch and catch-up times (KIP-836), v2 directory ids and the voters' addresses (KIP-853).
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: DescribeQuorumRequest
) -> DescribeQuorumResponse | Awaitable[DescribeQuorumResponse]:
    return broker.metadata.describe_quorum(request)
