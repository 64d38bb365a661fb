"""AlterConfigs v0-2: what is not named goes back to its default (KIP-133); IncrementalAlterConfigs has replaced it.

The controller decides; this broker first checks what only a broker can. Loggers cannot be altered this way.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from klamm.kproto.schema import Message
from klamm.metadata.image.image import BROKER_RESOURCE
from klamm.reply import Reply
from klamm.server.broker import Broker
from klamm.server.broker_changes import check_replacement
from klamm.server.request import RequestContext

Result = AlterConfigsResponse.AlterConfigsResourceResponse


def handle(
    broker: Broker, context: RequestContext, request: AlterConfigsRequest
) -> Reply[Message] | Awaitable[AlterConfigsResponse]:
    answered: dict[int, Result] = {}
    for i, resource in enumerate(request.resources):
        if resource.resource_type != BROKER_RESOURCE:
            continue
        try:
            if any(c.value is None for c in resource.configs):
                raise KafkaError(errors.INVALID_REQUEST, "a null value is not possible here")
            settings = {c.name: c.value for c in resource.configs if c.value is not None}
            check_replacement(broker, resource.resource_name, settings)
        except KafkaError as error:
            answered[i] = Result(
                error_code=error.code,
                error_message=error.message,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
    if not answered:
        return broker.controller.send(request)
    return _forward(broker, request, answered)


async def _forward(broker: Broker, request: AlterConfigsRequest, answered: dict[int, Result]) -> AlterConfigsResponse:
    rest = [resource for i, resource in enumerate(request.resources) if i not in answered]
    forwarded = AlterConfigsRequest(resources=rest, validate_only=request.validate_only)
    response = await broker.controller.send(forwarded).future()
    assert isinstance(response, AlterConfigsResponse)
    others = iter(response.responses)
    return AlterConfigsResponse(
        throttle_time_ms=0,
        responses=[answered.get(i) or next(others) for i in range(len(request.resources))],
    )
