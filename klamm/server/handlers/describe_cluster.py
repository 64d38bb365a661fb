"""DescribeCluster v0-2 (KIP-700): the brokers and the cluster id.

v1 may ask for controllers instead (KIP-919), which only a controller listener answers; v2 shows fenced brokers (KIP-1073).
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from klamm.server import authorized
from klamm.server.broker import Broker
from klamm.server.request import RequestContext
from klamm.server.topic_listing import broker_addresses

_BROKERS = 1


def handle(broker: Broker, context: RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse:
    if request.endpoint_type != _BROKERS:
        return DescribeClusterResponse(
            throttle_time_ms=0,
            error_code=errors.MISMATCHED_ENDPOINT_TYPE,
            error_message="this is a broker's listener: it has the addresses of brokers",
            cluster_id="",
            brokers=[],
            endpoint_type=request.endpoint_type,
        )
    image = broker.metadata.image
    response = DescribeClusterResponse(
        throttle_time_ms=0,
        error_code=errors.NONE,
        cluster_id=broker.cluster_id,
        controller_id=broker.metadata.controller_id,
        brokers=[
            DescribeClusterResponse.DescribeClusterBroker(
                broker_id=b.broker_id, host=b.host, port=b.port, rack=b.rack, is_fenced=b.is_fenced
            )
            for b in broker_addresses(image.cluster, context.listener_name, request.include_fenced_brokers)
        ],
    )
    if context.api_version < 2:
        for described in response.brokers:
            described.is_fenced = False
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = authorized.CLUSTER
    return response
