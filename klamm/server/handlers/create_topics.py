"""CreateTopics v2-7: v4 default counts by -1 (KIP-464), v5 tells the configuration (KIP-525), v7 the id (KIP-516).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: CreateTopicsRequest) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
