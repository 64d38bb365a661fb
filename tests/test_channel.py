"""Requests to another node: answered in order, by the newest common version, and never left without an end."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from klamm.channel import Channel, Channels
from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.frame import read_request_header
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from klamm.kproto.schema import Message
from klamm.seams import SystemClock, TcpNetwork

Answering = Callable[[int, int, int, memoryview], bytes | None]
"""(api key, version, correlation id, body) to the frame that answers, None for no answer."""


class Peer:
    """A server by the test's own rules."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.ranges = {apis.HEARTBEAT: (0, 3), apis.API_VERSIONS: (0, 4)}
        self.answer: Answering = self.usual
        self.writers: list[asyncio.StreamWriter] = []
        self.ends: asyncio.Queue[type[Exception]] = asyncio.Queue()
        self.port = 0

    def usual(self, key: int, version: int, correlation_id: int, body: memoryview) -> bytes | None:
        if key == apis.API_VERSIONS:
            rows = [
                ApiVersionsResponse.ApiVersion(api_key=k, min_version=low, max_version=high)
                for k, (low, high) in self.ranges.items()
            ]
            return framed(correlation_id, ApiVersionsResponse(error_code=0, api_keys=rows), version, 0)
        request = HeartbeatRequest.decode(body, version)
        # The generation comes back as the throttle time: which answer is whose can be told.
        return framed(
            correlation_id,
            HeartbeatResponse(throttle_time_ms=request.generation_id, error_code=errors.NONE),
            version,
            version >= 4,
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                frame = memoryview(await reader.readexactly(size))
                header = read_request_header(frame)
                self.asked.append((header.api_key, header.api_version))
                answer = self.answer(header.api_key, header.api_version, header.correlation_id, frame[header.body :])
                if answer is not None:
                    writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError) as end:
            self.ends.put_nowait(type(end))
        finally:
            writer.close()


def framed(correlation_id: int, response: Message, version: int, header_version: int) -> bytes:
    body = struct.pack(">i", correlation_id) + bytes(int(header_version)) + response.encode(version)
    return struct.pack(">i", len(body)) + body


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    yield peer
    server.close()
    for writer in peer.writers:
        writer.close()


Making = Callable[..., Channel]


@pytest.fixture
async def channel(peer: Peer) -> AsyncIterator[Making]:
    made: list[Channel] = []

    def make(*, port: int | None = None, timeout_ms: float = 5000, is_negotiating: bool = True) -> Channel:
        channels = Channels(TcpNetwork(), SystemClock(asyncio.get_running_loop()))
        made.append(
            Channel(
                channels,
                "127.0.0.1",
                peer.port if port is None else port,
                client_id="node-1",
                request_timeout_ms=timeout_ms,
                is_negotiating=is_negotiating,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def heartbeat(generation_id: int) -> HeartbeatRequest:
    return HeartbeatRequest(group_id="g", generation_id=generation_id, member_id="m")


async def failed(reply: Awaitable[Message]) -> int:
    with pytest.raises(KafkaError) as caught:
        await asyncio.wait_for(reply, 10)
    return caught.value.code


async def test_the_newest_common_version_and_answers_in_order(peer: Peer, channel: Making) -> None:
    one = channel()
    replies = [one.send(heartbeat(n)).future() for n in range(5)]
    assert [(await reply).throttle_time_ms for reply in replies] == list(range(5))
    assert peer.asked == [(apis.API_VERSIONS, 4)] + [(apis.HEARTBEAT, 3)] * 5
    assert (await one.send(heartbeat(9)).future()).throttle_time_ms == 9
    assert len(peer.writers) == 1


async def test_without_negotiation_the_sender_tells_the_version(peer: Peer, channel: Making) -> None:
    one = channel(is_negotiating=False)
    assert (await one.send(heartbeat(3), 4).future()).throttle_time_ms == 3
    assert peer.asked == [(apis.HEARTBEAT, 4)]


async def test_an_api_that_the_peer_does_not_know(peer: Peer, channel: Making) -> None:
    one = channel()
    assert await failed(one.send(FetchRequest(topics=[])).future()) == errors.UNSUPPORTED_VERSION
    assert (await one.send(heartbeat(1)).future()).throttle_time_ms == 1


async def test_a_peer_that_refuses_to_tell_its_versions(peer: Peer, channel: Making) -> None:
    def refuse(key: int, version: int, correlation_id: int, body: memoryview) -> bytes:
        assert key == apis.API_VERSIONS
        return framed(correlation_id, ApiVersionsResponse(error_code=errors.UNSUPPORTED_VERSION, api_keys=[]), 0, 0)

    peer.answer = refuse
    assert await failed(channel().send(heartbeat(1)).future()) == errors.UNSUPPORTED_VERSION


async def test_nobody_listens(channel: Making) -> None:
    with_port = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = with_port.sockets[0].getsockname()[1]
    with_port.close()
    await with_port.wait_closed()
    assert await failed(channel(port=port).send(heartbeat(1)).future()) == errors.NETWORK_EXCEPTION


async def test_a_lost_connection_fails_what_waits_and_is_made_anew(peer: Peer, channel: Making) -> None:
    one = channel()
    await one.send(heartbeat(1)).future()

    def lose(key: int, version: int, correlation_id: int, body: memoryview) -> None:
        peer.writers[0].transport.abort()

    peer.answer = lose
    replies = [one.send(heartbeat(n)).future() for n in range(2)]
    assert [await failed(reply) for reply in replies] == [errors.NETWORK_EXCEPTION] * 2
    peer.answer = peer.usual
    assert (await one.send(heartbeat(7)).future()).throttle_time_ms == 7
    assert len(peer.writers) == 2


async def test_silence_ends_at_the_timeout(peer: Peer, channel: Making) -> None:
    one = channel(timeout_ms=50)
    peer.answer = lambda *_: None
    assert await failed(one.send(heartbeat(1)).future()) == errors.REQUEST_TIMED_OUT
    peer.answer = peer.usual
    assert (await one.send(heartbeat(2)).future()).throttle_time_ms == 2


async def test_the_one_with_the_least_time_need_not_be_the_first(peer: Peer, channel: Making) -> None:
    one = channel()
    await one.send(heartbeat(1)).future()
    peer.answer = lambda *_: None
    replies = [one.send(heartbeat(n), timeout_ms=ms).future() for n, ms in enumerate([60_000, 50, 60_000])]
    # The connection is of no use to the others either.
    assert [await failed(reply) for reply in replies] == [errors.REQUEST_TIMED_OUT] * 3


@pytest.mark.parametrize("rubbish", [b"\x00\x00\x00\x04\x00\x00\x00\x63", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\x00"])
async def test_rubbish_ends_the_connection(peer: Peer, channel: Making, rubbish: bytes) -> None:
    one = channel()
    await one.send(heartbeat(1)).future()
    peer.answer = lambda *_: rubbish
    assert await failed(one.send(heartbeat(2)).future()) == errors.NETWORK_EXCEPTION


async def test_closing_fails_what_waits(peer: Peer, channel: Making) -> None:
    one = channel()
    replies = [one.send(heartbeat(n)).future() for n in range(2)]
    one.close()
    assert [await failed(reply) for reply in replies] == [errors.NETWORK_EXCEPTION] * 2
    assert await failed(one.send(heartbeat(3)).future()) == errors.NETWORK_EXCEPTION


async def test_what_has_no_answer_is_not_delivered_late(peer: Peer, channel: Making) -> None:
    """A reset, and not an end behind what is still on its way."""
    idle, waiting = channel(), channel()
    await idle.send(heartbeat(1)).future()
    idle.close()
    assert await asyncio.wait_for(peer.ends.get(), 10) is asyncio.IncompleteReadError
    await waiting.send(heartbeat(1)).future()
    peer.answer = lambda *_: None
    waiting.send(heartbeat(2))
    waiting.close()
    assert await asyncio.wait_for(peer.ends.get(), 10) is ConnectionResetError


async def test_a_request_the_version_cannot_express(peer: Peer, channel: Making) -> None:
    request = ApiVersionsRequest(client_software_name="x", client_software_version="y")
    one = channel(is_negotiating=False)
    assert await failed(one.send(request, 99).future()) == errors.UNSUPPORTED_VERSION
