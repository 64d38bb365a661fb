"""InitProducerId v0-5: a producer id for an idempotent producer.

v3 lets a producer bring its id and epoch (KIP-360); v5 goes with transaction.version 2 (KIP-890). A transactional
id needs the transaction coordinator; without one it is refused as by a broker that coordinates no transactions.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto import errors
from klamm.kproto.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: InitProducerIdRequest
) -> InitProducerIdResponse | Awaitable[InitProducerIdResponse]:
    if request.transactional_id == "":
        return InitProducerIdResponse(error_code=errors.INVALID_REQUEST, producer_epoch=-1)
    if (request.producer_id == -1) != (request.producer_epoch == -1):
        return InitProducerIdResponse(error_code=errors.INVALID_REQUEST, producer_epoch=-1)
    if request.transactional_id is not None:
        return InitProducerIdResponse(error_code=errors.COORDINATOR_NOT_AVAILABLE, producer_epoch=-1)
    return _new(broker)


async def _new(broker: Broker) -> InitProducerIdResponse:
    """Kafka too ignores the id and epoch that an idempotent producer brings, and gives a new id at epoch 0."""
    return InitProducerIdResponse(
        error_code=errors.NONE, producer_id=await broker.producer_ids.next(), producer_epoch=0
    )
