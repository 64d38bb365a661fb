"""A controller listener that is configured: it is opened, announced, and serves the controller's APIs alone."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from klamm.kproto.messages.envelope import EnvelopeRequest, EnvelopeResponse
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.messages.metadata import MetadataRequest
from klamm.kproto.messages.update_raft_voter import UpdateRaftVoterRequest, UpdateRaftVoterResponse
from klamm.kproto.messages.vote import VoteRequest, VoteResponse
from klamm.kproto.uuids import METADATA_TOPIC_ID
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


def _vote() -> VoteRequest:
    row = VoteRequest.TopicData.PartitionData(
        partition_index=0, replica_epoch=0, replica_id=9, last_offset_epoch=0, last_offset=0
    )
    return VoteRequest(topics=[VoteRequest.TopicData(topic_name="__cluster_metadata", partitions=[row])])


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_leaders_address_is_told_where_there_is_room(controller: tuple[str, str], version: int) -> None:
    with WireClient(controller[1]) as client:
        answer = client.ask(_vote(), version, VoteResponse)
    assert answer.topics[0].partitions[0].leader_id == 1
    assert [f"{node.host}:{node.port}" for node in answer.node_endpoints] == ([controller[1]] if version else [])


@pytest.mark.parametrize(("version", "code"), [(12, errors.INVALID_REQUEST), (13, errors.NONE), (18, errors.NONE)])
def test_the_metadata_log_is_fetched_by_its_id(controller: tuple[str, str], version: int, code: int) -> None:
    topic = FetchRequest.FetchTopic(
        topic="__cluster_metadata",
        topic_id=METADATA_TOPIC_ID,
        partitions=[FetchRequest.FetchTopic.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=100)],
    )
    request = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[topic], forgotten_topics_data=[])
    with WireClient(controller[1]) as client:
        answer = client.ask(request, version, FetchResponse)
    assert answer.error_code == code
    assert len(answer.node_endpoints) == (1 if version >= 17 else 0)


def test_a_voter_that_is_told_no_is_told_the_leader(controller: tuple[str, str]) -> None:
    request = UpdateRaftVoterRequest(
        cluster_id="AAAAAAAAAAAAAAAAAAAAAQ",
        current_leader_epoch=1,
        voter_id=9,
        voter_directory_id=b"\x22" * 16,
        listeners=[],
        k_raft_version_feature=UpdateRaftVoterRequest.KRaftVersionFeature(
            min_supported_version=0, max_supported_version=1
        ),
    )
    with WireClient(controller[1]) as client:
        answer = client.ask(request, 0, UpdateRaftVoterResponse)
    assert answer.error_code == errors.INCONSISTENT_CLUSTER_ID
    assert f"{answer.current_leader.host}:{answer.current_leader.port}" == controller[1]


PRINCIPAL = b"\0\0\5User\x0aANONYMOUS\0\0"
HEADER = struct.pack(">hhih", 19, 4, 7, -1)


@pytest.mark.parametrize(
    ("data", "principal", "code"),
    [
        (b"", PRINCIPAL, errors.UNSUPPORTED_VERSION),
        (struct.pack(">hhih", 9999, 0, 7, -1), PRINCIPAL, errors.UNSUPPORTED_VERSION),
        (struct.pack(">hhih", 18, 0, 7, -1), PRINCIPAL, errors.INVALID_REQUEST),
        (HEADER, None, errors.PRINCIPAL_DESERIALIZATION_FAILURE),
        (HEADER, b"\xff\xff", errors.PRINCIPAL_DESERIALIZATION_FAILURE),
        (HEADER, PRINCIPAL[:-4], errors.PRINCIPAL_DESERIALIZATION_FAILURE),
    ],
)
def test_envelopes_that_are_not_opened(
    controller: tuple[str, str], data: bytes, principal: bytes | None, code: int
) -> None:
    request = EnvelopeRequest(request_data=data, request_principal=principal, client_host_address=b"\x7f\0\0\1")
    with WireClient(controller[1]) as client:
        assert client.ask(request, 0, EnvelopeResponse).error_code == code


def test_describe_cluster_0_knows_no_controllers(controller: tuple[str, str]) -> None:
    with WireClient(controller[1]) as client:
        request = DescribeClusterRequest(include_cluster_authorized_operations=False)
        answer = client.ask(request, 0, DescribeClusterResponse)
    assert (answer.error_code, answer.brokers) == (errors.INVALID_REQUEST, [])


def quorum_address(servers: str) -> str:
    """Where the only voter listens, as the quorum tells it."""
    topic = DescribeQuorumRequest.TopicData(
        topic_name="__cluster_metadata", partitions=[DescribeQuorumRequest.TopicData.PartitionData(partition_index=0)]
    )
    with WireClient(servers) as client:
        (node,) = client.ask(DescribeQuorumRequest(topics=[topic]), 2, DescribeQuorumResponse).nodes
    (listener,) = node.listeners
    assert listener.name == "CONTROLLER"
    return f"{listener.host}:{listener.port}"


def test_a_port_that_the_system_draws_is_announced_anew_at_every_start() -> None:
    with Cluster() as cluster:
        found = []
        for _ in range(2):
            address = quorum_address(cluster.bootstrap_servers)
            request = DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=2)
            with WireClient(address) as client:
                (node,) = client.ask(request, 1, DescribeClusterResponse).brokers
            assert f"{node.host}:{node.port}" == address
            found.append(address)
            cluster.nodes[1].restart()
        assert all(not address.endswith(":0") for address in found)
