"""AlterPartitionReassignments v0-1 (KIP-455): partitions move to other brokers; v1 keeps their number (KIP-860).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: AlterPartitionReassignmentsRequest
) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
