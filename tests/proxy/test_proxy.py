"""The proxy between a client and a cluster: real clients, and servers that do what real ones seldom do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer

from klamm.kproto import apis
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.proxy.proxy import Proxy
from klamm.proxy.show import Shower
from klamm.proxy.subjects import TopicNames
from klamm.seams import SystemClock, TcpNetwork, TlsClientNetwork
from klamm.testing.wire import WireClient
from tests.proxy.conftest import Starting

TLS = Path(__file__).parents[1] / "data" / "tls"
Answering = Callable[[bytes], bytes | None]
"""A frame to the frame that answers it; None for no answer. Both without sizes."""


class Server:
    """A server by the test's own rules."""

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        self.seen: list[bytes] = []
        self.port = 0

    async def start(self, **more: Any) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, **more)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                frame = await reader.readexactly(size)
                self.seen.append(frame)
                answer = self.answer(frame)
                if answer is not None:
                    writer.write(struct.pack(">i", len(answer)) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        self._server.close()


class Between:
    """A proxy in this loop and what it shows."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.stops: list[Callable[[], Awaitable[None]]] = []

    async def start(self, to_port: int, **more: Any) -> Proxy:
        clock, names = SystemClock(asyncio.get_running_loop()), TopicNames()
        proxy = Proxy(
            ("127.0.0.1", 0),
            ("127.0.0.1", to_port),
            network=TcpNetwork(),
            clock=clock,
            watcher=Shower(self.shown.append, clock, names),
            names=names,
            **more,
        )
        await proxy.start()
        self.stops.append(proxy.stop)
        return proxy


@pytest.fixture
async def between() -> AsyncIterator[Between]:
    made = Between()
    yield made
    for stop in made.stops:
        await stop()


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def asked(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], *frames: bytes) -> list[bytes]:
    reader, writer = streams
    writer.write(b"".join(struct.pack(">i", len(frame)) + frame for frame in frames))
    out = []
    for _ in frames:
        (size,) = struct.unpack(">i", await asyncio.wait_for(reader.readexactly(4), 10))
        out.append(await reader.readexactly(size))
    return out


def request(key: int, version: int, correlation_id: int, body: bytes = b"") -> bytes:
    return struct.pack(">hhih", key, version, correlation_id, 2) + b"me" + b"\x00" + body


def test_clients_work_and_stay(proxied: Starting) -> None:
    """A producer and a group: every connection comes through, since every address is one of the proxy."""
    topic = f"t-{uuid.uuid4()}"
    running = proxied()
    producer = KafkaProducer(bootstrap_servers=running.address)
    for i in range(20):
        producer.send(topic, b"%d" % i)
    producer.flush(timeout=20)
    producer.close()
    consumer = KafkaConsumer(
        topic, bootstrap_servers=running.address, group_id=f"g-{topic}", auto_offset_reset="earliest"
    )
    assert [next(consumer).value for _ in range(20)] == [b"%d" % i for i in range(20)]
    consumer.close()
    shown = "".join(running.shown)
    for name in ("Produce", "Fetch", "JoinGroup", "SyncGroup", "OffsetCommit", "LeaveGroup", "FindCoordinator"):
        assert f"> {name} v" in shown, name
        assert f"< {name} v" in shown, name
    assert "MEMBER_ID_REQUIRED" in shown
    assert f"{topic}[0]" in shown
    assert len(running.proxy.followed) == 1


async def test_every_node_gets_a_port(between: Between) -> None:
    other = Server(lambda frame: frame[4:8] + b"from the other")
    await other.start()

    def metadata(frame: bytes) -> bytes:
        rows = [MetadataResponse.MetadataResponseBroker(node_id=i, host="127.0.0.1", port=port)
                for i, port in enumerate((first.port, other.port))]  # fmt: skip
        return frame[4:8] + b"\x00" + MetadataResponse(brokers=rows).encode(12)

    first = Server(metadata)
    await first.start()
    proxy = await between.start(first.port)
    ask = request(apis.METADATA, 12, 3, MetadataRequest(topics=None).encode(12))
    streams = await connected(proxy.port)
    answers = await asked(streams, ask, ask)
    assert first.seen == [ask, ask]
    told = [(b.host, b.port) for b in MetadataResponse.decode(answers[0][5:], 12).brokers]
    assert told[0] == ("127.0.0.1", proxy.port)
    assert told[1] == ("127.0.0.1", proxy.followed["127.0.0.1", other.port]) != ("127.0.0.1", other.port)
    assert answers[0] == answers[1]
    assert await asked(await connected(told[1][1]), request(200, 0, 9)) == [b"\x00\x00\x00\x09from the other"]


async def test_what_is_not_known_here_passes(between: Between) -> None:
    """A newer server and client agree on versions that the proxy has never heard of."""
    server = Server(lambda frame: frame[4:8] + b"\x00new")
    await server.start()
    streams = await connected((await between.start(server.port)).port)
    frames = [request(apis.METADATA, 14, 1, b"new"), request(300, 2, 2, b"newer"), request(apis.PRODUCE, 2, 3)]
    assert await asked(streams, *frames) == [struct.pack(">i", i) + b"\x00new" for i in (1, 2, 3)]
    assert server.seen == frames
    shown = "".join(between.shown)
    assert "> Metadata v14 id 1" in shown
    assert "> Api300 v2 id 2" in shown
    assert shown.count("unknown here, passes through unread") == 3


async def test_sasl_tokens_without_a_header_pass_and_are_not_shown(between: Between) -> None:
    server = Server(lambda frame: b"" if frame.startswith(b"\x00alice") else frame[4:8] + b"\x00\x00\x00\x00\x00\x00")
    await server.start()
    streams = await connected((await between.start(server.port)).port)
    handshake = struct.pack(">hhih", apis.SASL_HANDSHAKE, 0, 1, 2) + b"me" + b"\x00\x05PLAIN"
    token = b"\x00alice\x00secret"
    heartbeat = struct.pack(">hhih", apis.LIST_GROUPS, 0, 2, 2) + b"me"
    assert (await asked(streams, handshake, token, heartbeat))[1] == b""
    assert server.seen == [handshake, token, heartbeat]
    shown = "".join(between.shown)
    assert "> SaslToken  13 B  -  a SASL token, hidden" in shown
    assert "> ListGroups v0 id 2" in shown
    assert "secret" not in shown


async def test_another_protocol_passes(between: Between) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = await between.start(server.sockets[0].getsockname()[1])
    reader, writer = await connected(proxy.port)
    writer.write(b"Get / please\n")
    assert await asyncio.wait_for(reader.read(), 10) == b"GET / PLEASE\n"
    writer.close()
    server.close()
    assert "this is not Kafka's protocol; it passes through unread" in "".join(between.shown)


async def test_a_first_frame_in_many_parts(between: Between) -> None:
    """Only the first bytes of a connection tell its protocol: what follows may look like anything."""
    server = Server(lambda frame: frame[4:8] + b"ok")
    await server.start()
    reader, writer = await connected((await between.start(server.port)).port)
    frame = request(300, 0, 8, b"\xff\x16\x03" * 300_000)
    data = struct.pack(">i", len(frame)) + frame
    for at in range(0, len(data), 90_001):
        writer.write(data[at : at + 90_001])
        await writer.drain()
        await asyncio.sleep(0.001)
    assert await asyncio.wait_for(reader.readexactly(10), 10) == b"\x00\x00\x00\x06\x00\x00\x00\x08ok"
    assert server.seen == [frame]


async def test_tls_to_the_servers(between: Between) -> None:
    """Clients talk plainly to the proxy, and see what they would not have seen; half-closing cannot be told by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "localhost.pem", TLS / "localhost.key")
    server = Server(lambda frame: frame[4:8] + b"by TLS")
    await server.start(ssl=context)
    trusting = TlsClientNetwork(ssl.create_default_context(cafile=TLS / "localhost.pem"))
    reader, writer = await connected((await between.start(server.port, upstream=trusting)).port)
    assert await asked((reader, writer), request(300, 0, 1)) == [b"\x00\x00\x00\x01by TLS"]
    frame = request(300, 0, 2)
    writer.write(struct.pack(">i", len(frame)) + frame)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == b"\x00\x00\x00\x0a\x00\x00\x00\x02by TLS"
    server.stop()


async def test_a_server_whose_certificate_is_not_trusted(between: Between) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "localhost.pem", TLS / "localhost.key")
    server = Server(lambda frame: None)
    await server.start(ssl=context)
    proxy = await between.start(server.port, upstream=TlsClientNetwork(ssl.create_default_context()))
    reader, writer = await connected(proxy.port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    server.stop()
    assert "cannot be reached" in "".join(between.shown)
    assert "certificate verify failed" in "".join(between.shown)


async def test_tls_passes_through(between: Between) -> None:
    """The handshake reaches the server as it is (no certificate here: the server's refusal comes back)."""
    seen = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = await between.start(server.sockets[0].getsockname()[1])
    context = ssl.create_default_context()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", proxy.port, ssl=context, server_hostname="localhost")
    server.close()
    assert seen.startswith(b"\x16\x03")
    assert "TLS passes through unread" in "".join(between.shown)


async def test_a_server_that_is_not_there(between: Between) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    proxy = await between.start(port)
    reader, writer = await connected(proxy.port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert "cannot be reached" in "".join(between.shown)


async def test_what_was_not_answered_is_told(between: Between) -> None:
    server = Server(lambda frame: None)
    await server.start()
    _, writer = await connected((await between.start(server.port)).port)
    frame = request(apis.LIST_GROUPS, 4, 6, b"\x00")
    writer.write(struct.pack(">i", len(frame)) + frame)
    while not server.seen:
        await asyncio.sleep(0.001)
    writer.close()
    while "closed by" not in between.shown[-1]:
        await asyncio.sleep(0.001)
    assert between.shown[-1].endswith("closed by the client, without an answer to ListGroups v4 id 6\n")


async def test_half_a_connection_still_gets_its_answers(between: Between) -> None:
    server = Server(lambda frame: frame[4:8] + b"late")
    await server.start()
    reader, writer = await connected((await between.start(server.port)).port)
    frame = request(300, 0, 8)
    writer.write(struct.pack(">i", len(frame)) + frame)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == b"\x00\x00\x00\x08\x00\x00\x00\x08late"


async def test_answers_in_another_order(between: Between) -> None:
    """acks=0 gets no answer: a later answer belongs to its own request."""
    from klamm.kproto.messages.header import RequestHeader
    from klamm.kproto.messages.produce import ProduceRequest

    silent = RequestHeader(request_api_key=0, request_api_version=7, correlation_id=1, client_id="me").encode(1)
    silent += ProduceRequest(acks=0, timeout_ms=1, topic_data=[]).encode(7)
    server = Server(lambda frame: None if frame[:2] == b"\x00\x00" else frame[4:8] + b"ok")
    await server.start()
    reader, writer = await connected((await between.start(server.port)).port)
    frames = [silent, request(300, 0, 2)]
    writer.write(b"".join(struct.pack(">i", len(frame)) + frame for frame in frames))
    assert await asyncio.wait_for(reader.readexactly(10), 10) == b"\x00\x00\x00\x06\x00\x00\x00\x02ok"
    shown = "".join(between.shown)
    assert "wants no answer" in shown
    assert "< Api300 v0 id 2" in shown


def test_a_large_frame_passes_unchanged(proxied: Starting) -> None:
    topic, running = f"t-{uuid.uuid4()}", proxied()
    value = bytes(range(256)) * 3000
    producer = KafkaProducer(bootstrap_servers=running.address, max_request_size=1 << 20)
    producer.send(topic, value).get(timeout=20)
    producer.close()
    consumer = KafkaConsumer(topic, bootstrap_servers=running.address, auto_offset_reset="earliest")
    assert next(consumer).value == value
    consumer.close()


def test_the_answer_is_the_servers_but_for_addresses(proxied: Starting, cluster: Any) -> None:
    running = proxied()
    with WireClient(running.address) as through, WireClient(cluster.bootstrap_servers) as direct:
        for version in range(14):
            ask = MetadataRequest(topics=[] if version else [MetadataRequest.MetadataRequestTopic(name="none")])
            told, there = (c.ask(ask, version, MetadataResponse) for c in (through, direct))
            assert told.brokers[0].port == running.proxy.port
            told.brokers[0].port = there.brokers[0].port
            assert told == there
