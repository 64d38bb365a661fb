"""DescribeClientQuotas v0-1: the quotas of the entities that a filter takes, from this broker's image (KIP-546)."""

from __future__ import annotations

from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_client_quotas import DescribeClientQuotasRequest, DescribeClientQuotasResponse
from klamm.metadata.image.client_quotas import describe
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: DescribeClientQuotasRequest
) -> DescribeClientQuotasResponse:
    try:
        return describe(broker.metadata.image.client_quotas, request)
    except KafkaError as error:
        return DescribeClientQuotasResponse(
            throttle_time_ms=0, error_code=error.code, error_message=error.message, entries=None
        )
