"""One listening address: accepts connections, counts them, closes the idle ones, and hands requests to a dispatcher."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

from klamm.kproto.errors import ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES, SpareBuffers
from klamm.reply import Reply
from klamm.seams import Clock, Listening, Network, Timer
from klamm.server.connection import Answer, Connection
from klamm.server.memory import RequestMemory

log = logging.getLogger(__name__)


class Server(Protocol):
    """Serves one request of a connection."""

    listener_name: str

    def serve(self, connection: Connection, frame: memoryview) -> Answer | Reply[Answer] | Awaitable[Answer]: ...


class Limits:
    """A listener's limits: `connections.max.idle.ms`, `max.connections`, `max.connections.per.ip`, request size."""

    __slots__ = ("connections_max", "connections_per_ip_max", "idle_max_ms", "request_size_max")

    def __init__(
        self,
        request_size_max: int = 104857600,
        idle_max_ms: int = 600000,
        connections_max: int = 2147483647,
        connections_per_ip_max: int = 2147483647,
    ) -> None:
        self.request_size_max = request_size_max
        self.idle_max_ms = idle_max_ms
        self.connections_max = connections_max
        self.connections_per_ip_max = connections_per_ip_max


class Listener:
    """The hooks of every connection of one address. `start` opens it, `close` ends all of its connections."""

    def __init__(
        self,
        server: Server,
        network: Network,
        clock: Clock,
        memory: RequestMemory,
        limits: Limits,
        read_done: Callable[[], None],
    ) -> None:
        self._server, self._network, self._clock = server, network, clock
        self.memory = memory
        self.limits = limits
        self.request_size_max = limits.request_size_max
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self.spares = SpareBuffers()
        self.read_done = read_done
        self.serve = server.serve
        self._connections: dict[int, Connection] = {}
        self._per_host: Counter[str] = Counter()
        self._next_id = 0
        self._listening: Listening | None = None
        self._idle_timer: Timer | None = None
        self._is_closed = False

    async def start(self, host: str, port: int, *, is_serving: bool = True) -> int:
        """Open the address; gives the port, also when 0 was asked for. Not `is_serving`: nobody gets in before `admit`.

        Raises OSError.
        """
        self._listening = await self._network.listen(self._connection, host, port, is_serving=is_serving)
        if self.limits.idle_max_ms > 0:
            self._idle_check()
        return self._listening.port

    async def admit(self) -> None:
        """Take connections from now on. Raises OSError."""
        assert self._listening is not None
        await self._listening.serve()

    def _connection(self) -> Connection:
        self._next_id += 1
        return Connection(self, self._next_id)

    def opened(self, connection: Connection) -> bool:
        """KIP-612's simple half: refuse what goes over the limits; and what comes behind `close`."""
        self._connections[connection.id] = connection
        self._per_host[connection.client_host] += 1
        if self._is_closed:
            return False
        if len(self._connections) > self.limits.connections_max:
            log.warning("connection from %s refused: max.connections reached", connection.client_host)
            return False
        if self._per_host[connection.client_host] > self.limits.connections_per_ip_max:
            log.warning("connection from %s refused: max.connections.per.ip reached", connection.client_host)
            return False
        return True

    def closed(self, connection: Connection) -> None:
        if self._connections.pop(connection.id, None) is not None:
            self._per_host[connection.client_host] -= 1

    def fault(self, connection: Connection, error: BaseException) -> None:
        if isinstance(error, ProtocolError):
            log.info("connection from %s closed: %s", connection.client_host, error)
        elif not isinstance(error, asyncio.CancelledError):
            log.error("connection from %s closed", connection.client_host, exc_info=error)

    def _idle_check(self) -> None:
        """Two silent checks in a row are at least one idle time, at most two."""
        for connection in list(self._connections.values()):
            if not connection.active:
                log.info("connection from %s closed: idle", connection.client_host)
                connection.close()
            connection.active = False
        self._idle_timer = self._clock.call_later(self.limits.idle_max_ms, self._idle_check)

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    async def close(self) -> None:
        """Stop accepting and close every connection; answers already written still leave."""
        self._is_closed = True
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._listening is not None:
            await self._listening.close()
        for connection in list(self._connections.values()):
            connection.close()
