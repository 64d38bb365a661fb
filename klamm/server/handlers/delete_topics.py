"""DeleteTopics v1-6: v5 error messages, v6 by topic id (KIP-516).

The controller decides; this broker hands the request on to it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: DeleteTopicsRequest
) -> DeleteTopicsResponse | Awaitable[DeleteTopicsResponse]:
    return broker.metadata.delete_topics(request)
