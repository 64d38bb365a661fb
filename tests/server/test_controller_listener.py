"""A controller listener that is configured: it is opened, announced, and serves the controller's APIs alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from klamm.kproto.messages.metadata import MetadataRequest
from klamm.testing import Cluster
from klamm.testing.wire import WireClient


@pytest.fixture(scope="module")
def controller() -> Iterator[tuple[str, str]]:
    """The addresses of a broker listener and a controller listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listeners = f"PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:{port}"
    with Cluster(config={"listeners": listeners}) as cluster:
        yield cluster.bootstrap_servers, f"127.0.0.1:{port}"


def test_it_advertises_what_controllers_serve(controller: tuple[str, str]) -> None:
    found = []
    for address in controller:
        with WireClient(address) as client:
            response = client.ask(ApiVersionsRequest(), 0, ApiVersionsResponse)
        found.append({key.api_key for key in response.api_keys})
    on_broker, on_controller = found
    assert apis.PRODUCE in on_broker
    assert apis.DESCRIBE_QUORUM in on_broker & on_controller
    assert apis.PRODUCE not in on_controller
    assert apis.METADATA not in on_controller


def test_a_broker_api_closes_the_connection(controller: tuple[str, str]) -> None:
    with WireClient(controller[1]) as client:
        client.send(MetadataRequest(topics=None), 12)
        with pytest.raises(ConnectionResetError):
            client.receive(ApiVersionsResponse, 0, 1)


@pytest.mark.parametrize(("listener", "endpoint_type", "code"), [(0, 1, 0), (0, 2, 114), (1, 2, 0), (1, 1, 114)])
def test_describe_cluster_by_listener(
    controller: tuple[str, str], listener: int, endpoint_type: int, code: int
) -> None:
    assert errors.MISMATCHED_ENDPOINT_TYPE == 114
    request = DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=endpoint_type)
    with WireClient(controller[listener]) as client:
        response = client.ask(request, 1, DescribeClusterResponse)
    assert response.error_code == code
    expected = [] if code else [controller[listener]]
    assert [f"{node.host}:{node.port}" for node in response.brokers] == expected
