"""Answers that come later, by a call: handed over once, in the order of the requests, errors as errors."""

from __future__ import annotations

import asyncio
import socket
import struct

from klamm.kproto.errors import ProtocolError
from klamm.reply import Reply
from klamm.server.connection import Answer
from tests.server.test_connection import FakeServer, frame, listening, until


def test_the_first_result_counts_whenever_one_waits() -> None:
    for wait_first in (True, False):
        reply: Reply[int] = Reply()
        found: list[int | Exception] = []
        if wait_first:
            reply.then(found.append)
        reply.resolve(1)
        reply.resolve(ProtocolError("too late"))
        if not wait_first:
            reply.then(found.append)
        assert found == [1] and reply.is_resolved


class Waiting:
    """Serves `wait…` with a reply that the test resolves, anything else at once."""

    def __init__(self) -> None:
        self.replies: dict[bytes, Reply[Answer]] = {}

    def __call__(self, data: memoryview) -> Answer | Reply[Answer]:
        if data[:4] != b"wait":
            return [frame(bytes(data))]
        return self.replies.setdefault(bytes(data), Reply())


async def test_answers_leave_in_the_order_of_the_requests() -> None:
    waiting = Waiting()
    async with listening(FakeServer(waiting)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(map(frame, [b"wait1", b"second", b"wait2", b"third"])))
        await until(lambda: len(waiting.replies) == 2)
        waiting.replies[b"wait2"].resolve([frame(b"two")])
        waiting.replies[b"wait1"].resolve([frame(b"one")])
        expected = b"".join(map(frame, [b"one", b"second", b"two", b"third"]))
        assert await reader.readexactly(len(expected)) == expected
        writer.close()


async def test_an_answer_that_is_there_already() -> None:
    def handler(data: memoryview) -> Answer | Reply[Answer]:
        reply: Reply[Answer] = Reply()
        reply.resolve([frame(bytes(data))])
        return reply

    async with listening(FakeServer(handler)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = frame(b"a") + frame(b"b")
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        writer.close()


async def test_an_error_closes_the_connection_behind_the_answers_before_it() -> None:
    waiting = Waiting()
    async with listening(FakeServer(waiting)) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(map(frame, [b"first", b"wait1"])))
        await until(lambda: len(waiting.replies) == 1)
        waiting.replies[b"wait1"].resolve(ProtocolError("no"))
        assert await reader.read() == frame(b"first")
        await until(lambda: listener.connection_count == 0)
        writer.close()


async def test_a_reply_for_a_connection_that_has_gone() -> None:
    waiting = Waiting()
    async with listening(FakeServer(waiting)) as (listener, port):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.sendall(frame(b"wait1"))
        await until(lambda: len(waiting.replies) == 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        peer.close()
        await until(lambda: listener.connection_count == 0)
        waiting.replies[b"wait1"].resolve([frame(b"one")])


async def test_a_peer_that_only_ended_its_side_gets_the_answer() -> None:
    waiting = Waiting()
    async with listening(FakeServer(waiting)) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"wait1"))
        writer.write_eof()
        await until(lambda: len(waiting.replies) == 1)
        waiting.replies[b"wait1"].resolve([frame(b"one")])
        assert await reader.read() == frame(b"one")
        await until(lambda: listener.connection_count == 0)
        writer.close()
