"""AlterClientQuotas v0-1: quotas of users, client ids and addresses, set and removed (KIP-546).

The active controller decides; a broker that is not in its process has forwarded the request.
"""

from __future__ import annotations

import asyncio

from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest
from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: AlterClientQuotasRequest
) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
