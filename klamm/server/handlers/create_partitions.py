"""CreatePartitions v0-3: more partitions for topics that exist (KIP-195).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.create_partitions import CreatePartitionsRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: CreatePartitionsRequest
) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
