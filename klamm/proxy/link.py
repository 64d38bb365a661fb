"""One connection of a client and the one to the server that goes with it.

Frames pass in the order in which they came. An answer belongs to the oldest request with its correlation id. Bytes that
are no frames of Kafka (TLS, another protocol) pass as they are.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol

from klamm.kproto import apis
from klamm.kproto.errors import ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES, FrameReader, SpareBuffers
from klamm.proxy.addresses import Address, bearers, names_addresses, rewritten
from klamm.proxy.exchange import Answer, Exchange, read_exchange
from klamm.proxy.lane import LANE_BYTES_MAX, Chunks, Held, Lane
from klamm.stream import Stream

if TYPE_CHECKING:
    from klamm.proxy.faults import Faults
    from klamm.proxy.subjects import TopicNames
    from klamm.seams import Clock, Network

FRAME_SIZE_MAX: Final = 0x7FFFFFFF
_FIRST_FRAME_SIZE_MAX: Final = 0x10000000
"""Nothing begins with a request of that size: such bytes are another protocol."""
_SIZE: Final = struct.Struct(">i")
_TLS: Final = b"\x16\x03"
_SOCKET: Final = 1
_LANE: Final = 2
"""Why reading is paused, a bit each: the other side's socket is full, or what waits for it is too much."""


class Seen(Protocol):
    """What a watcher sees of a connection; `pending`: the requests without an answer."""

    @property
    def id(self) -> int: ...

    @property
    def to(self) -> Address: ...

    @property
    def client_address(self) -> Address: ...

    @property
    def pending(self) -> deque[Exchange]: ...

    @property
    def is_raw(self) -> bool: ...

    @property
    def raw_bytes(self) -> list[int]: ...


class Watcher(Protocol):
    """Who is told of what passes: the frames stand in `exchange.frame` and `exchange.answer`, as they came."""

    def opened(self, link: Seen) -> None: ...

    def asked(self, link: Seen, exchange: Exchange) -> None: ...

    def answered(self, link: Seen, exchange: Exchange, took_ms: float) -> None: ...

    def closed(self, link: Seen, who: str) -> None:
        """`who` closed it; `link.pending` still has the requests without an answer."""
        ...

    def said(self, link: Seen, text: str) -> None:
        """Something that a person should know of this connection."""
        ...


class Surroundings(Protocol):
    """What the links of a proxy share."""

    network: Network
    clock: Clock
    watcher: Watcher | None
    faults: Faults | None
    names: TopicNames
    scratch: memoryview
    spares: SpareBuffers

    def local(self, link: Link, address: Address) -> Address | None:
        """Where the proxy listens for that address of a server; None when it does not yet."""
        ...

    async def follow(self, address: Address) -> None:
        """Listen for an address of a server. Raises OSError."""
        ...

    def ended(self, link: Link) -> None: ...


class Link:
    """`id`: counted from 1. `to`: the server's address."""

    def __init__(self, around: Surroundings, link_id: int, to: Address) -> None:
        self.id = link_id
        self.to = to
        self.client_address: Address = ("", 0)
        self.local_host = ""
        self.is_raw = False
        self.raw_bytes = [0, 0]
        """Bytes to the server and to the client that passed unread."""
        self.pending: deque[Exchange] = deque()
        self._around = around
        self._client = Side(around, self._from_client, self._client_gone)
        self._server = Side(around, self._from_server, self._server_gone)
        self._client.made = self._client_made
        self._to_server = Lane(around.clock, self._server.write, self.close, self._requests_sent)
        self._to_client = Lane(around.clock, self._client.write, self.close, lambda: self._server.resume(_LANE))
        self._client.peer, self._server.peer = self._server, self._client
        self._has_begun = False
        self._is_ended = False
        self._closing = ""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def client_side(self) -> Side:
        """The protocol of the connection that the client made."""
        return self._client

    # -- beginning and end --

    def _client_made(self) -> None:
        transport = self._client.transport
        assert transport is not None
        self.client_address = tuple((transport.get_extra_info("peername") or ("", 0))[:2])
        self.local_host = (transport.get_extra_info("sockname") or ("127.0.0.1",))[0]
        if self._around.watcher is not None:
            self._around.watcher.opened(self)
        self._do(self._connect(self._to_server.hold()))

    async def _connect(self, until_connected: Held) -> None:
        try:
            await self._around.network.connect(lambda: self._server, *self.to)
        except OSError as error:
            self.say(f"{self.to[0]}:{self.to[1]} cannot be reached: {error}")
            self.end("server")
            return
        if self._is_ended:
            self._server.close()
        else:
            self._to_server.ready(until_connected)

    def _client_gone(self, is_half: bool) -> None:
        if not is_half:
            self.end("client")
            return
        self._closing = "client"  # it may still want the answers to what it has asked
        if self._to_server.is_idle:
            self._finish()

    def _requests_sent(self) -> None:
        """Nothing waits on the way to the server any more."""
        self._client.resume(_LANE)
        if self._closing:
            self._finish()

    def _finish(self) -> None:
        """Tell the server that no request will come; TLS cannot, so that the last answer is the end."""
        if not self._server.finish() and not self.pending:
            self.end("client")

    def _server_gone(self, is_half: bool) -> None:
        if self._to_client.is_idle:
            self._to_client.flush()
            self.end(self._closing or "server")
        else:
            held = self._to_client.hold()
            held.close_after = True
            self._to_client.ready(held)

    def close(self) -> None:
        """Close both sides, from here."""
        self.end("proxy")

    def end(self, who: str) -> None:
        """Close both sides after what is written has left."""
        if self._is_ended:
            return
        self._is_ended = True
        if self._around.watcher is not None:
            self._around.watcher.closed(self, who)
        self.pending.clear()
        self._to_client.drop()
        self._to_server.drop()
        self._client.close()
        self._server.close()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._around.ended(self)

    def say(self, text: str) -> None:
        """Tell whoever watches."""
        if self._around.watcher is not None:
            self._around.watcher.said(self, text)

    # -- frames --

    def _from_client(self, frames: FrameReader, buffer: memoryview, count: int) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._look_at_start(buffer, count)
        if self.is_raw:
            self._pass(0, self._to_server, buffer, count)
            return
        for frame in frames.received(count):
            self._asked(frame if frames.owned else bytes(frame), frame)
        if frames.error is not None:
            self._broken("client", frames.error)
            return
        self._to_server.flush()
        if not self._to_server.is_idle and self._to_server.held_bytes > LANE_BYTES_MAX:
            self._client.pause(_LANE)

    def _look_at_start(self, buffer: memoryview, count: int) -> None:
        start = bytes(buffer[: min(count, 4)])
        if start[:2] == _TLS:
            self._go_raw(
                "TLS passes through unread; addresses in it are not replaced, so the client will go past the proxy"
            )
        elif count >= 4 and not 0 <= _SIZE.unpack(start)[0] < _FIRST_FRAME_SIZE_MAX:
            self._go_raw("this is not Kafka's protocol; it passes through unread")

    def _go_raw(self, text: str) -> None:
        self.is_raw = True
        self.say(text)

    def _pass(self, way: int, lane: Lane, buffer: memoryview, count: int) -> None:
        self.raw_bytes[way] += count
        lane.put(bytes(buffer[:count]))
        lane.flush()

    def _asked(self, data: bytes | memoryview, frame: memoryview) -> None:
        around = self._around
        exchange = read_exchange(frame)
        exchange.sent_ms = around.clock.monotonic_ms()
        chunks = (_SIZE.pack(len(data)), data)
        if around.watcher is not None or around.faults is not None:
            exchange.frame = data
        if around.faults is not None:
            around.faults.choose(self, exchange)
        if around.watcher is not None:
            around.watcher.asked(self, exchange)
        faults = around.faults if exchange.rule is not None else None
        if faults is not None and not faults.forward(self, exchange):
            self._own_answers()
            return
        if exchange.has_answer:
            self.pending.append(exchange)
        if faults is None or not faults.send_request(exchange, self._to_server, chunks):
            self._to_server.put(*chunks)

    def expect(self, exchange: Exchange) -> None:
        """An exchange takes its place among those whose answers are to come."""
        self.pending.append(exchange)

    def _from_server(self, frames: FrameReader, buffer: memoryview, count: int) -> None:
        if self.is_raw:
            self._pass(1, self._to_client, buffer, count)
            return
        for frame in frames.received(count):
            self._answered(frame if frames.owned else bytes(frame))
        if frames.error is not None:
            self._broken("server", frames.error)
            return
        self._to_client.flush()
        if not self._to_client.is_idle and self._to_client.held_bytes > LANE_BYTES_MAX:
            self._server.pause(_LANE)
        if self._closing and self._to_client.is_idle:
            self._finish()

    def _broken(self, who: str, error: ProtocolError) -> None:
        self.say(f"the {who} sent what is no frame: {error}")
        self.end(who)

    def _answered(self, data: bytes | memoryview) -> None:
        exchange = self._due(data)
        if exchange is None:
            self.say(f"an answer of {len(data)} bytes to no request")
            self._to_client.put(_SIZE.pack(len(data)), data)
            return
        self._tell_answered(exchange, data)
        if exchange.api is not None and names_addresses(exchange.key, exchange.version):
            self._readdress(exchange, data)
        else:
            self._deliver(exchange, (_SIZE.pack(len(data)), data))
        if self.pending and self.pending[0].own_answer is not None:
            self._own_answers()

    def _tell_answered(self, exchange: Exchange, data: bytes | memoryview) -> None:
        watcher = self._around.watcher
        if watcher is not None:
            exchange.answer = data
            watcher.answered(self, exchange, self._around.clock.monotonic_ms() - exchange.sent_ms)

    def _due(self, data: bytes | memoryview) -> Exchange | None:
        """The request that an answer belongs to: as a rule the oldest."""
        pending = self.pending
        if not pending:
            return None
        if pending[0].is_token:
            return pending.popleft()
        if len(data) < 4:
            return None
        (correlation_id,) = _SIZE.unpack_from(data)
        if pending[0].correlation_id == correlation_id:
            return pending.popleft()
        if not any(exchange.correlation_id == correlation_id for exchange in pending):
            return None
        while pending[0].correlation_id != correlation_id:
            pending.popleft()
        return pending.popleft()

    def _deliver(self, exchange: Exchange, chunks: Chunks, held: Held | None = None) -> None:
        faults = self._around.faults
        if exchange.rule is not None and faults is not None:
            faults.send_answer(exchange, self._to_client, held or self._to_client.hold(), chunks)
        elif held is None:
            self._to_client.put(*chunks)
        else:
            held.data = chunks
            self._to_client.ready(held)

    def _own_answers(self) -> None:
        """Give the answers that the proxy makes itself, as far as it is their turn."""
        while self.pending and (own := self.pending[0].own_answer) is not None:
            exchange = self.pending.popleft()
            self._tell_answered(exchange, own)
            self._to_client.put(_SIZE.pack(len(own)), own)
        self._to_client.flush()

    # -- addresses --

    def _readdress(self, exchange: Exchange, data: bytes | memoryview) -> None:
        chunks = (_SIZE.pack(len(data)), data)
        try:
            answer = exchange.response_from(data)
        except ProtocolError as error:
            self.say(f"an answer to {exchange.name} version {exchange.version} cannot be read: {error}")
            self._deliver(exchange, chunks)
            return
        if exchange.key == apis.METADATA:
            self._around.names.learn(answer.message)
        named: list[Address] = [(bearer.host, bearer.port) for bearer in bearers(answer.message)]
        if not named:
            self._deliver(exchange, chunks)
        elif all(self._around.local(self, address) for address in named):
            self._deliver(exchange, (self._rewritten(data, answer),))
        else:
            self._do(self._readdress_later(exchange, data, answer, named, self._to_client.hold()))

    async def _readdress_later(
        self, exchange: Exchange, data: bytes | memoryview, answer: Answer, named: list[Address], held: Held
    ) -> None:
        try:
            for address in named:
                await self._around.follow(address)
        except OSError as error:
            self.say(f"there is no port to follow the cluster: {error}")
            self.end("proxy")
            return
        self._deliver(exchange, (self._rewritten(data, answer),), held)

    def _rewritten(self, data: bytes | memoryview, answer: Answer) -> bytes:
        def local(address: Address) -> Address:
            found = self._around.local(self, address)
            assert found is not None
            return found

        return rewritten(data, answer, local)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Side(Stream):
    """The connection to the client, or to the server. `peer` is paused while this one's socket is full."""

    def __init__(
        self,
        around: Surroundings,
        received: Callable[[FrameReader, memoryview, int], None],
        gone: Callable[[bool], None],
    ) -> None:
        super().__init__()
        self.made: Callable[[], None] | None = None
        self.peer: Side | None = None
        self._scratch = around.scratch[:SCRATCH_BYTES]
        self._frames = FrameReader(around.scratch, FRAME_SIZE_MAX, around.spares)
        self._received, self._gone = received, gone
        self._buffer = self._scratch

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.made is not None:
            self.made()

    def get_buffer(self, sizehint: int) -> memoryview:
        self._buffer = self._frames.buffer()
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received(self._frames, self._buffer, nbytes)

    def eof_received(self) -> bool:
        self._gone(True)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._gone(False)

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.pause(_SOCKET)

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.resume(_SOCKET)

    def write(self, chunks: Chunks) -> None:
        """Send chunks; nothing happens when the connection is gone, or about to be closed."""
        if self.is_open:
            self.send(chunks)

    def finish(self) -> bool:
        """Send no more, and go on reading. False when that cannot be told to the peer."""
        if self.transport is None or not self.transport.can_write_eof():
            return False
        self.transport.write_eof()
        return True
