"""AlterConfigs v0-2: what is not named goes back to its default (KIP-133); IncrementalAlterConfigs has replaced it.

The controller decides; this broker hands the request on to it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: AlterConfigsRequest
) -> AlterConfigsResponse | Awaitable[AlterConfigsResponse]:
    return broker.metadata.alter_configs(request)
