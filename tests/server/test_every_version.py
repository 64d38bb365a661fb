"""Every served API in every version that is advertised: asked with defaults, with nonsense, and with cut bodies.

Whatever comes in is answered in that version's form or the connection is closed; nothing hangs, nothing is logged as
a fault of ours, and the broker serves on.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator

import pytest

from klamm.kproto import apis
from klamm.kproto.apis import APIS, PRODUCE
from klamm.kproto.errors import ProtocolError
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from klamm.kproto.messages.header import RequestHeader
from klamm.kproto.schema import Message
from klamm.server.routes import route, served_apis
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

BOTH = {"broker": apis.BROKER, "controller": apis.CONTROLLER}
"""The kinds of listeners; a request of each API that a kind serves goes to it in every version."""
KEYS = [(kind, api.key) for kind, listener in BOTH.items() for api in served_apis(listener)]
CASES = [(kind, APIS[key].name, version) for kind, key in KEYS for version in range(APIS[key].low, APIS[key].high + 1)]
CLOSED = {"DescribeTopicPartitions"}
"""What has no place for the error of a request as a whole."""


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    """The listeners of one node by kind."""
    with Cluster() as cluster:
        cluster.create_topic("t", partitions=2)
        topics = [
            DescribeQuorumRequest.TopicData(
                topic_name="__cluster_metadata",
                partitions=[DescribeQuorumRequest.TopicData.PartitionData(partition_index=0)],
            )
        ]
        with WireClient(cluster.bootstrap_servers) as client:
            (node,) = client.ask(DescribeQuorumRequest(topics=topics), 2, DescribeQuorumResponse).nodes
        (listener,) = node.listeners
        yield {"broker": cluster.bootstrap_servers, "controller": f"{listener.host}:{listener.port}"}


@pytest.fixture
def servers(addresses: dict[str, str]) -> str:
    return addresses["broker"]


def sample(cls: type[Message], version: int) -> Message:
    """A message with one element in each of its arrays, everything else at its default."""

    def fill(struct_: object) -> object:
        for field in struct_.__schema__.fields:  # type: ignore[attr-defined]
            if field.array and field.exists_in(version) and field.struct is not None:
                setattr(struct_, field.name, [fill(field.struct())])
            elif field.array and field.exists_in(version):
                empty = {"string": "t", "uuid": bytes(16)}.get(field.type, 0)
                setattr(struct_, field.name, [empty])
        return struct_

    message = fill(cls())
    assert isinstance(message, Message)
    return message


def still_serves(servers: str) -> None:
    with WireClient(servers, timeout_s=10) as client:
        assert client.ask(ApiVersionsRequest(), 0, ApiVersionsResponse).error_code == 0


@pytest.mark.parametrize(("kind", "name", "version"), CASES)
@pytest.mark.parametrize("make", ["default", "sample"])
def test_it_is_answered(
    addresses: dict[str, str], kind: str, name: str, version: int, make: str, caplog: pytest.LogCaptureFixture
) -> None:
    servers = addresses[kind]
    key = next(api.key for api in APIS.values() if api.name == name)
    found = route(key, BOTH[kind])
    assert found is not None
    request = found.request() if make == "default" else sample(found.request, version)
    if key == PRODUCE:
        request.acks = 1  # type: ignore[attr-defined]
    with caplog.at_level(logging.WARNING), WireClient(servers, timeout_s=10) as client:
        correlation_id = client.send(request, version)
        try:
            client.receive(found.response, version, correlation_id)
        except ConnectionResetError:
            assert name in CLOSED, "closed instead of answered"
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_cut_and_garbled_bodies(
    addresses: dict[str, str], kind: str, key: int, caplog: pytest.LogCaptureFixture
) -> None:
    servers = addresses[kind]
    api, found = APIS[key], route(key, BOTH[kind])
    assert found is not None
    version = api.high
    request = sample(found.request, version)
    if key == PRODUCE:
        request.acks = 1  # type: ignore[attr-defined]
    header = RequestHeader(request_api_key=key, request_api_version=version, correlation_id=1, client_id="x")
    head, body = header.encode(api.request_header_version(version)), request.encode(version)
    with caplog.at_level(logging.WARNING):
        for cut in range(0, len(body), max(1, len(body) // 12)):
            for garbled in (body[:cut], body[:cut] + b"\xff" * 6 + body[cut + 6 :], body[:cut] + b"\x7f" + body[cut:]):
                frame = head + garbled
                with socket.create_connection(servers.rsplit(":", 1), timeout=10) as connection:
                    connection.sendall(struct.pack(">i", len(frame)) + frame)
                    connection.shutdown(socket.SHUT_WR)
                    answer = b""
                    while part := connection.recv(65536):
                        answer += part
                if answer:
                    (size,) = struct.unpack_from(">i", answer)
                    assert size == len(answer) - 4
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
    still_serves(servers)


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack(">hhih", 9999, 0, 1, -1),
        struct.pack(">hhih", -5, 0, 1, -1),
        struct.pack(">hhih", 4, 0, 1, -1),
        struct.pack(">hhih", 0, 0, 1, -1),
        struct.pack(">hhih", 3, 99, 1, -1),
        struct.pack(">hhih", 52, 0, 1, -1),
        struct.pack(">hhih", 3, 1, 1, 100) + b"short",
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=[
        "unknown key",
        "negative key",
        "removed API",
        "Produce 0",
        "Metadata 99",
        "Vote",
        "client id",
        "empty",
        "HTTP",
    ],
)
def test_what_kafka_closes_is_closed(servers: str, frame: bytes) -> None:
    with socket.create_connection(servers.rsplit(":", 1), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        assert connection.recv(100) == b""
    still_serves(servers)


def test_an_api_versions_request_from_the_future(servers: str) -> None:
    with socket.create_connection(servers.rsplit(":", 1), timeout=10) as connection:
        frame = struct.pack(">hhihBB", 18, 99, 7, -1, 0, 0)
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        answer = connection.recv(1000)
        size, correlation_id, error, count, key, low, high = struct.unpack(">iihihhh", answer)
        assert (size, correlation_id, error, count, key, low, high) == (16, 7, 35, 1, 18, 0, 4)
        connection.sendall(struct.pack(">ihhih", 10, 18, 0, 8, -1))
        assert struct.unpack_from(">iih", connection.recv(5000))[1:] == (8, 0)


def test_the_wire_client_refuses_a_wrong_correlation_id(servers: str) -> None:
    with WireClient(servers) as client, pytest.raises(ProtocolError):
        sent = client.send(ApiVersionsRequest(), 0)
        client.receive(ApiVersionsResponse, 0, sent + 1)
