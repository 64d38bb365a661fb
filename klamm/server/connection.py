"""One client's connection: frames in, answers out in the order of the requests.

Sockets are read into one scratch buffer for all connections of a listener. Requests are served as they come, also
while earlier ones still wait (a long poll, acks=all); their answers leave first in, first out. All answers of one read
event go out in one write. A connection stops being read while its peer does not read, while too many of its requests
are under way, or while the node has no memory for more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, cast

from klamm.kproto.errors import ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES, FrameReader, SpareBuffers
from klamm.kproto.schema import RecordBytes
from klamm.reply import Reply
from klamm.server.memory import RequestMemory
from klamm.server.request import RequestContext
from klamm.stream import Stream

MAX_IN_FLIGHT: Final = 256
"""Requests of one connection that may be under way; more are left in the socket."""
MAX_IN_FLIGHT_BYTES: Final = 8 * 1024 * 1024
"""What they may hold together: a client with a long pipeline must not fill the memory while the disk is slow."""
_PEER, _IN_FLIGHT, _MEMORY, _CLOSING = 1, 2, 4, 8
"""Why it is not read."""

Answer = list[RecordBytes]
"""The chunks of one answer, frame size and header included; empty for a request that gets none."""


class Hooks(Protocol):
    """What a connection needs of the listener that accepted it."""

    request_size_max: int
    memory: RequestMemory
    scratch: memoryview
    """SCRATCH_BYTES to read into. Never shared by two event loops: they may be on two threads."""
    spares: SpareBuffers

    def serve(self, connection: Connection, frame: memoryview) -> Answer | Reply[Answer] | Awaitable[Answer]:
        """Serve one request. Raises ProtocolError when the connection is to be closed."""
        ...

    def opened(self, connection: Connection) -> bool:
        """Note a new connection; False refuses it."""
        ...

    def closed(self, connection: Connection) -> None: ...

    def read_done(self) -> None:
        """The answers of a read event are on their way: the moment to wake who waited for what it appended."""
        ...

    def fault(self, connection: Connection, error: BaseException) -> None:
        """Log why a connection is closed from our side."""
        ...


class _Slot:
    """A request that is not answered yet, in its place in the order."""

    __slots__ = ("answer", "held_bytes")

    def __init__(self, held_bytes: int) -> None:
        self.answer: Answer | None = None
        self.held_bytes = held_bytes


class Connection(Stream):
    """See the module's docstring. `last_active_ms` is kept by the listener's idle check."""

    def __init__(self, hooks: Hooks, connection_id: int) -> None:
        super().__init__()
        self._hooks = hooks
        self.id = connection_id
        self.client_host = ""
        self.active = True  # heard of since the last idle check
        self.contexts: dict[int, RequestContext] = {}
        """The context of the last request of each API. To be cleared when the principal changes."""
        self._frames = FrameReader(hooks.scratch, hooks.request_size_max, hooks.spares)
        self._slots: deque[_Slot] = deque()
        self._in_flight_bytes = 0
        self._out: Answer = []
        self._eof = False
        self._held_bytes = 0

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.client_host = peer[0] if peer else ""
        if not self._hooks.opened(self):
            cast(asyncio.Transport, transport).abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frames.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self.active = True
        frames = self._frames
        try:
            for frame in frames.received(nbytes):
                self._serve(frame, len(frame) if frames.owned else 0)
            error = frames.error
        except ProtocolError as refused:
            error = refused
        if error is not None:
            self._write()
            self._fail(error)
            self._hooks.read_done()
            return
        if frames.pending_bytes > SCRATCH_BYTES:
            self._hold(frames.pending_bytes)
        elif self._held_bytes:
            self._hold(0)
        if self._out:
            self._write()
        self._hooks.read_done()

    def eof_received(self) -> bool:
        self._eof = True
        return bool(self._slots)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._hold(0)
        for slot in self._slots:
            self._hooks.memory.give(slot.held_bytes)
        self._slots.clear()
        self._hooks.closed(self)

    def pause_writing(self) -> None:
        self.pause(_PEER)

    def resume_writing(self) -> None:
        self.resume(_PEER)

    # --- serving

    def _serve(self, frame: memoryview, size: int) -> None:
        if not self.is_open:
            return
        answer = self._hooks.serve(self, frame)
        if type(answer) is list:
            if not self._slots:
                self._out += answer
                return
            slot = _Slot(0)
            slot.answer = answer
            self._slots.append(slot)
        else:
            assert not isinstance(answer, list)
            slot = _Slot(size)
            self._hooks.memory.take(size)
            self._in_flight_bytes += size
            self._slots.append(slot)
            if isinstance(answer, Reply):
                answer.then(lambda result: self._answered(slot, result))
            else:
                asyncio.ensure_future(answer).add_done_callback(lambda task: self._task_done(slot, task))
        if self._is_full:
            self.pause(_IN_FLIGHT)

    def _task_done(self, slot: _Slot, task: asyncio.Future[Answer]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._answered(slot, task.result() if error is None else error)

    def _answered(self, slot: _Slot, result: Answer | BaseException) -> None:
        if self.transport is None:
            return
        if isinstance(result, BaseException):
            self._fail(result)
            return
        slot.answer = result
        slots = self._slots
        while slots and slots[0].answer is not None:
            done = slots.popleft()
            self._hooks.memory.give(done.held_bytes)
            self._in_flight_bytes -= done.held_bytes
            assert done.answer is not None
            self._out += done.answer
        if self._out:
            self._write()
        if not self._is_full:
            self.resume(_IN_FLIGHT)
        if self._eof and not slots:
            self.close()

    def _write(self) -> None:
        out, self._out = self._out, []
        if out:
            self.send(out)

    def _fail(self, error: BaseException) -> None:
        self._hooks.fault(self, error)
        self.pause(_CLOSING)
        self.close()

    # --- flow control

    @property
    def _is_full(self) -> bool:
        return len(self._slots) >= MAX_IN_FLIGHT or self._in_flight_bytes >= MAX_IN_FLIGHT_BYTES

    def _hold(self, size: int) -> None:
        """Count `size` bytes of an unfinished frame against the node's memory."""
        memory = self._hooks.memory
        memory.take(size - self._held_bytes) if size > self._held_bytes else memory.give(self._held_bytes - size)
        others = memory.used_bytes - size
        self._held_bytes = size
        if size and others and memory.exhausted and not self.is_paused_for(_MEMORY):
            self.pause(_MEMORY)
            memory.when_free(lambda: self.resume(_MEMORY))


ConnectionFactory = Callable[[], Connection]
