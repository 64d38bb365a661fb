"""UnregisterBroker v0: a broker that will not come back is forgotten (KIP-631).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.unregister_broker import UnregisterBrokerRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: UnregisterBrokerRequest
) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
