"""ElectLeaders v0-2: leaders are elected anew (KIP-183), v1 uncleanly too (KIP-460).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.elect_leaders import ElectLeadersRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: ElectLeadersRequest) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
