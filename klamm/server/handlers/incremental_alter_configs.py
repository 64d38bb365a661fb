"""IncrementalAlterConfigs v0-1: set, delete, append to or subtract from single settings (KIP-339).

The controller decides; this broker hands the request on to it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse | Awaitable[IncrementalAlterConfigsResponse]:
    return broker.metadata.incremental_alter_configs(request)
