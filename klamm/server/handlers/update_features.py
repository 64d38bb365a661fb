"""UpdateFeatures v0-2 (KIP-584): v1 upgrade types and dry runs (KIP-778), v2 one error for all (KIP-1022).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.update_features import UpdateFeaturesRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: UpdateFeaturesRequest
) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
