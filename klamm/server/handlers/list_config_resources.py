"""ListConfigResources v0-1 (KIP-1142): the resources that have, or may have, settings.

v0 lists client metrics subscriptions alone (it was ListClientMetricsResources, KIP-1000); v1 takes the types to list.
"""

from __future__ import annotations

from typing import Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.list_config_resources import ListConfigResourcesRequest, ListConfigResourcesResponse
from klamm.metadata.image.image import BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE
from klamm.server.broker import Broker
from klamm.server.broker_changes import BROKER_LOGGER_RESOURCE
from klamm.server.request import RequestContext

_ALL: Final = (TOPIC_RESOURCE, BROKER_RESOURCE, BROKER_LOGGER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE)


def handle(broker: Broker, context: RequestContext, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse:
    if context.api_version == 0:
        types = [CLIENT_METRICS_RESOURCE]
    else:
        types = list(dict.fromkeys(request.resource_types)) or list(_ALL)
    if any(kind not in _ALL for kind in types):
        raise KafkaError(errors.UNSUPPORTED_VERSION)
    image = broker.metadata.image
    found: list[tuple[int, str]] = []
    for kind in types:
        if kind == TOPIC_RESOURCE:
            found += [(kind, name) for name in image.topics.by_name]
        elif kind in (BROKER_RESOURCE, BROKER_LOGGER_RESOURCE):
            found += [(kind, str(broker_id)) for broker_id in image.cluster.brokers]
        else:
            found += [(kind, name) for resource, name in image.configs if resource == kind]
    return ListConfigResourcesResponse(
        throttle_time_ms=0,
        error_code=errors.NONE,
        config_resources=[
            ListConfigResourcesResponse.ConfigResource(resource_name=name, resource_type=kind) for kind, name in found
        ],
    )
