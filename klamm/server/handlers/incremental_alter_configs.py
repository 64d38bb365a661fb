"""IncrementalAlterConfigs v0-1: set, delete, append to or subtract from single settings (KIP-339).

The controller decides; this broker first checks what only a broker can, and answers for its loggers itself.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from klamm.kproto.schema import Message
from klamm.metadata.controller.configs import Alteration
from klamm.metadata.image.image import BROKER_RESOURCE
from klamm.reply import Reply
from klamm.server.broker import Broker
from klamm.server.broker_changes import BROKER_LOGGER_RESOURCE, alter_loggers, check_incremental
from klamm.server.request import RequestContext

Result = IncrementalAlterConfigsResponse.AlterConfigsResourceResponse


def handle(
    broker: Broker, context: RequestContext, request: IncrementalAlterConfigsRequest
) -> Reply[Message] | Awaitable[IncrementalAlterConfigsResponse]:
    answered: dict[int, Result] = {}
    names = [(r.resource_type, r.resource_name) for r in request.resources]
    for i, resource in enumerate(request.resources):
        kind, name = names[i]
        if kind not in (BROKER_RESOURCE, BROKER_LOGGER_RESOURCE) or names.count(names[i]) > 1:
            continue
        changes = [Alteration(c.name, c.config_operation, c.value) for c in resource.configs]
        try:
            if kind == BROKER_RESOURCE:
                check_incremental(broker, name, changes)
                continue
            alter_loggers(broker, name, changes, request.validate_only)
            answered[i] = Result(error_code=0, error_message=None, resource_type=kind, resource_name=name)
        except KafkaError as error:
            answered[i] = Result(
                error_code=error.code, error_message=error.message, resource_type=kind, resource_name=name
            )
    if not answered:
        return broker.controller.send(request)
    return _forward(broker, request, answered)


async def _forward(
    broker: Broker, request: IncrementalAlterConfigsRequest, answered: dict[int, Result]
) -> IncrementalAlterConfigsResponse:
    rest = [resource for i, resource in enumerate(request.resources) if i not in answered]
    forwarded = IncrementalAlterConfigsRequest(resources=rest, validate_only=request.validate_only)
    response = await broker.controller.send(forwarded).future()
    assert isinstance(response, IncrementalAlterConfigsResponse)
    others = iter(response.responses)
    return IncrementalAlterConfigsResponse(
        throttle_time_ms=0,
        responses=[answered.get(i) or next(others) for i in range(len(request.resources))],
    )
