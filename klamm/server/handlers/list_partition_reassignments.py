"""ListPartitionReassignments v0: the moves under way (KIP-455).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: ListPartitionReassignmentsRequest
) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
