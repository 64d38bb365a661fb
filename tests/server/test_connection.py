"""Connections over real sockets: order of answers, flow control, limits, and peers that misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from klamm.kproto.errors import ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES
from klamm.reply import Reply
from klamm.seams import Listening, SystemClock, TcpNetwork
from klamm.server.connection import MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES, Answer, Connection
from klamm.server.listener import Limits, Listener
from klamm.server.memory import RequestMemory
from klamm.stream import WRITE_BUFFER_BYTES

Serve = Callable[[memoryview], "Answer | Reply[Answer] | Awaitable[Answer]"]


def frame(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


class FakeServer:
    """Answers with what `handler` makes of a frame's bytes; remembers what it was asked."""

    listener_name = "TEST"

    def __init__(self, handler: Serve | None = None) -> None:
        self.handler: Serve = handler or (lambda data: [frame(bytes(data))])
        self.seen: list[bytes] = []
        self.connections: set[int] = set()

    def serve(self, connection: Connection, data: memoryview) -> Answer | Reply[Answer] | Awaitable[Answer]:
        self.seen.append(bytes(data))
        self.connections.add(connection.id)
        return self.handler(data)


@asynccontextmanager
async def listening(
    server: FakeServer, limits: Limits | None = None, memory: RequestMemory | None = None
) -> AsyncIterator[tuple[Listener, int]]:
    clock = SystemClock(asyncio.get_running_loop())
    listener = Listener(
        server, TcpNetwork(), clock, memory or RequestMemory(1 << 40), limits or Limits(), read_done=lambda: None
    )
    port = await listener.start("127.0.0.1", 0)
    try:
        yield listener, port
    finally:
        await listener.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own timeout is the limit."""
    while not condition():
        await asyncio.sleep(0.001)


async def test_frames_are_answered_however_they_are_cut() -> None:
    bodies = [b"a", b"", b"x" * 70000, b"b" * 65532, b"c" * 65533, b"d" * 300000, b"e"]
    stream = b"".join(map(frame, bodies))
    async with listening(FakeServer()) as (_, port):
        for step in (1009, 65536, len(stream)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for start in range(0, len(stream), step):
                writer.write(stream[start : start + step])
                await writer.drain()
            assert await reader.readexactly(len(stream)) == stream
            writer.close()


async def test_answers_leave_in_the_order_of_the_requests() -> None:
    loop = asyncio.get_running_loop()
    futures: dict[bytes, asyncio.Future[Answer]] = {}

    def handler(data: memoryview) -> Answer | Awaitable[Answer]:
        if data[:4] != b"wait":
            return [frame(bytes(data))]
        return futures.setdefault(bytes(data), loop.create_future())

    async with listening(FakeServer(handler)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(map(frame, [b"first", b"wait1", b"second", b"wait2", b"third"])))
        assert await reader.readexactly(9) == frame(b"first")
        await until(lambda: len(futures) == 2)
        futures[b"wait2"].set_result([frame(b"two")])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.05)
        futures[b"wait1"].set_result([frame(b"one")])
        expected = b"".join(map(frame, [b"one", b"second", b"two", b"third"]))
        assert await reader.readexactly(len(expected)) == expected
        writer.close()


async def test_a_request_without_answer_keeps_its_place() -> None:
    def handler(data: memoryview) -> Answer:
        return [] if data[:4] == b"none" else [frame(bytes(data))]

    async with listening(FakeServer(handler)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"none") + frame(b"yes"))
        assert await reader.readexactly(7) == frame(b"yes")
        writer.close()


@pytest.mark.parametrize("size", [-1, -(2**31), 1001, 2**31 - 1])
async def test_a_bad_size_closes_the_connection(size: int) -> None:
    async with listening(FakeServer(), Limits(request_size_max=1000)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"fine") + struct.pack(">i", size))
        assert await reader.read() == frame(b"fine")
        writer.close()


async def test_a_protocol_error_closes_after_the_answers_before_it() -> None:
    def handler(data: memoryview) -> Answer:
        if data[:3] == b"bad":
            raise ProtocolError("no such thing")
        return [frame(bytes(data))]

    server = FakeServer(handler)
    async with listening(server) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"good") + frame(b"bad") + frame(b"late"))
        assert await reader.read() == frame(b"good")
        assert b"late" not in server.seen
        await until(lambda: listener.connection_count == 0)
        writer.close()


async def test_a_half_closed_peer_still_gets_its_answers() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()
    server = FakeServer(lambda data: future)
    async with listening(server) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"ask"))
        writer.write_eof()
        await until(lambda: bool(server.seen))
        future.set_result([frame(b"answer")])
        assert await reader.read() == frame(b"answer")
        await until(lambda: listener.connection_count == 0)
        writer.close()


@pytest.mark.parametrize("reset", [True, False])
async def test_a_peer_that_goes_away_leaves_nothing(reset: bool) -> None:
    """A reset ends the connection at once; a mere end of stream when its last answer is made."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()
    memory = RequestMemory(1 << 30)
    async with listening(FakeServer(lambda data: future), memory=memory) as (listener, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"x" * 200000) + struct.pack(">i", 500000) + b"y" * 200000)
        await until(lambda: memory.used_bytes >= 400000)
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        if not reset:
            future.set_result([frame(b"nobody reads this")])
        await until(lambda: listener.connection_count == 0)
        assert memory.used_bytes == 0


async def test_a_slow_reader_is_not_read_from() -> None:
    """When its answers pile up, a peer's further requests stay in its socket, and others are served meanwhile."""
    answer = frame(b"z" * 1_000_000)
    # So large that one read event holds few of them, however many have come: those of one read are all served.
    request, total = frame(b"big" + bytes(SCRATCH_BYTES // 4)), 400
    server = FakeServer(lambda data: [answer] if data[:3] == b"big" else [frame(bytes(data))])

    def served() -> int:
        return sum(data[:3] == b"big" for data in server.seen)

    loop = asyncio.get_running_loop()
    async with listening(server) as (_, port):
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            slow.setblocking(False)
            await loop.sock_connect(slow, ("127.0.0.1", port))
            sending = asyncio.ensure_future(loop.sock_sendall(slow, request * total))
            await until(lambda: served() * len(answer) > WRITE_BUFFER_BYTES)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(50):  # time enough for all requests, if they were read on
                writer.write(frame(b"quick"))
                assert await reader.readexactly(9) == frame(b"quick")
            assert served() < total, "all answers were made although nobody read them"
            assert served() * len(answer) < WRITE_BUFFER_BYTES * 8
            got = 0
            while got < total * len(answer):
                got += len(await loop.sock_recv(slow, 1 << 20))
            await sending
            assert served() == total
            writer.close()


async def test_too_many_requests_under_way_pause_the_reading() -> None:
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Answer]] = []

    def handler(data: memoryview) -> Awaitable[Answer]:
        futures.append(loop.create_future())
        return futures[-1]

    total = MAX_IN_FLIGHT * 80
    async with listening(FakeServer(handler)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"q" * 60) * total)
        await until(lambda: len(futures) >= MAX_IN_FLIGHT)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(futures) < total
        answered = 0
        while answered < total:
            await until(lambda wanted=answered: len(futures) > wanted)
            futures[answered].set_result([frame(b"")])
            answered += 1
        assert await reader.readexactly(4 * total) == frame(b"") * total
        writer.close()


async def test_large_requests_under_way_pause_the_reading_by_their_bytes() -> None:
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Answer]] = []
    body = bytes(MAX_IN_FLIGHT_BYTES // 4)

    def handler(data: memoryview) -> Awaitable[Answer]:
        futures.append(loop.create_future())
        return futures[-1]

    memory = RequestMemory(1 << 40)
    async with listening(FakeServer(handler), memory=memory) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(body) * 12)
        await until(lambda: len(futures) >= 4)
        await asyncio.sleep(0.05)
        assert len(futures) == 4 and memory.used_bytes == MAX_IN_FLIGHT_BYTES
        for answered in range(12):
            await until(lambda wanted=answered: len(futures) > wanted)
            futures[answered].set_result([frame(b"ok")])
        assert await reader.readexactly(12 * 6) == frame(b"ok") * 12
        await until(lambda: memory.used_bytes == 0)
        writer.close()


async def test_memory_is_shared_out_and_claims_alone_cost_nothing() -> None:
    memory = RequestMemory(1_000_000)
    server = FakeServer()
    async with listening(server, memory=memory) as (_, port):
        claims = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for _, writer in claims:
            writer.write(struct.pack(">i", 100_000_000) + b"x")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"small"))
        assert await reader.readexactly(9) == frame(b"small")
        assert memory.used_bytes < 1_000_000
        one, two = claims[0][1], claims[1][1]
        one.write(b"a" * 1_200_000)
        await until(lambda: memory.exhausted)
        two.write(b"b" * 500_000)
        writer.write(frame(b"again"))
        assert await reader.readexactly(9) == frame(b"again")
        one.transport.abort()
        await until(lambda: 0 < memory.used_bytes < 1_000_000)
        for _, claim in claims:
            claim.transport.abort()
        await until(lambda: memory.used_bytes == 0)
        writer.close()


async def test_limits_on_the_number_of_connections() -> None:
    async with listening(FakeServer(), Limits(connections_max=2)) as (_, port):
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in kept:
            writer.write(frame(b"ok"))
            assert await reader.readexactly(6) == frame(b"ok")
        reader, refused = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        refused.close()
        for _, writer in kept:
            writer.close()


async def test_idle_connections_are_closed() -> None:
    async with listening(FakeServer(), Limits(idle_max_ms=40)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_what_was_accepted_before_the_end_and_comes_behind_it_is_not_served() -> None:
    """An event loop makes a transport for a connection that it has accepted some turns later."""
    made: list[Callable[[], asyncio.BaseProtocol]] = []

    class Late(TcpNetwork):
        async def listen(
            self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, is_serving: bool = True
        ) -> Listening:
            made.append(factory)
            return await super().listen(factory, host, port, is_serving=is_serving)

    class Accepted(asyncio.Transport):
        is_aborted = False

        def abort(self) -> None:
            self.is_aborted = True

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            pass

    clock = SystemClock(asyncio.get_running_loop())
    listener = Listener(FakeServer(), Late(), clock, RequestMemory(1 << 40), Limits(), read_done=lambda: None)
    await listener.start("127.0.0.1", 0)
    before, behind = Accepted(), Accepted()
    made[0]().connection_made(before)
    assert (before.is_aborted, listener.connection_count) == (False, 1)
    before.close = lambda: None  # type: ignore[method-assign]
    await listener.close()
    made[0]().connection_made(behind)
    assert behind.is_aborted
