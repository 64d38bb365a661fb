"""DescribeCluster v0-2 (KIP-700): the brokers and the cluster id.

v1 may ask for controllers instead (KIP-919), which only a controller listener answers; v2 shows fenced brokers
(KIP-1073).
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from klamm.metadata.image.cluster import ClusterImage
from klamm.server import authorized
from klamm.server.broker import Broker
from klamm.server.request import RequestContext
from klamm.server.topic_listing import broker_addresses, controller_for_clients

_BROKERS = 1
_CONTROLLERS = 2

Node = DescribeClusterResponse.DescribeClusterBroker

_ENDPOINT_TYPE_SINCE = 1


def handle(broker: Broker, context: RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse:
    on_controller = context.listener_name in broker.config.listeners.controller_names
    if request.endpoint_type != (_CONTROLLERS if on_controller else _BROKERS):
        known = request.endpoint_type in (_BROKERS, _CONTROLLERS)
        mismatched = errors.MISMATCHED_ENDPOINT_TYPE
        if context.api_version < _ENDPOINT_TYPE_SINCE:
            mismatched = errors.INVALID_REQUEST  # who cannot ask for controllers has made no mistake about them
        here, wanted = ("controller", "brokers") if on_controller else ("broker", "controllers")
        return DescribeClusterResponse(
            throttle_time_ms=0,
            error_code=mismatched if known else errors.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"this is a {here}'s listener: it does not have the addresses of {wanted}",
            cluster_id="",
            brokers=[],
        )
    cluster = broker.metadata.image.cluster
    nodes = (
        _controllers(cluster, context.listener_name)
        if on_controller
        else [
            Node(broker_id=b.broker_id, host=b.host, port=b.port, rack=b.rack, is_fenced=b.is_fenced)
            for b in broker_addresses(cluster, context.listener_name, request.include_fenced_brokers)
        ]
    )
    controller_id = broker.metadata.controller_id
    if not on_controller:
        controller_id = controller_for_clients(cluster, context.listener_name, controller_id, broker.node_id)
    response = DescribeClusterResponse(
        throttle_time_ms=0,
        error_code=errors.NONE,
        cluster_id=broker.cluster_id,
        controller_id=controller_id,
        brokers=nodes,
        endpoint_type=request.endpoint_type,
    )
    if context.api_version < 2:
        for described in response.brokers:
            described.is_fenced = False
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = authorized.CLUSTER
    return response


def _controllers(cluster: ClusterImage, listener_name: str) -> list[Node]:
    return [
        Node(broker_id=controller.controller_id, host=endpoint.host, port=endpoint.port)
        for controller in cluster.controllers.values()
        if (endpoint := controller.listeners.get(listener_name)) is not None
    ]
