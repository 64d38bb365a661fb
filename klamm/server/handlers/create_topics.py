"""CreateTopics v2-7: v4 default counts by -1 (KIP-464), v5 tells the configuration (KIP-525), v7 the id (KIP-516).

The controller decides; this broker hands the request on to it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: CreateTopicsRequest
) -> CreateTopicsResponse | Awaitable[CreateTopicsResponse]:
    return broker.metadata.create_topics(request)
