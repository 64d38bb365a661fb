"""CreatePartitions v0-3: more partitions for topics that exist (KIP-195).

The controller decides; this broker hands the request on to it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: CreatePartitionsRequest
) -> CreatePartitionsResponse | Awaitable[CreatePartitionsResponse]:
    return broker.metadata.create_partitions(request)
