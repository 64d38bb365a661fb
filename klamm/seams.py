"""Where the outside world comes in: the clock and the source of randomness that every node is given.

The only module that reads a clock or draws a random number; everything else takes a `Clock` and an `Entropy`
from its composition root, so that simulation and the virtual clock can put their own in (a tidy test holds it).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl


class Timer(Protocol):
    """A pending call; `cancel` is idempotent and safe after it has run."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time, as one node sees it. Wall time may jump; monotonic time never goes back."""

    def time_ms(self) -> int:
        """Wall clock, milliseconds since 1970 (what goes into records and files)."""
        ...

    def monotonic_ms(self) -> float:
        """Milliseconds since an arbitrary point, for deadlines and durations."""
        ...

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` once on the node's event loop after `delay_ms`."""
        ...


class Entropy(Protocol):
    """Randomness, as one node sees it."""

    def uuid(self) -> bytes:
        """16 random bytes in the form of a version 4 UUID, never one that Kafka reserves."""
        ...

    def random(self) -> float:
        """A float in [0, 1)."""
        ...

    def randrange(self, stop: int) -> int:
        """An int in [0, stop)."""
        ...


class SystemClock:
    """The machine's clocks and the running asyncio loop's timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def time_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic_ns() / 1e6

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_ms / 1000, callback)


class StoppedClock:
    """The machine's clocks without an event loop, for commands that set no timers."""

    def time_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic_ns() / 1e6

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        raise RuntimeError("nothing runs later here")


def uuid4_bytes(raw: bytes) -> bytes:
    """`raw` (16 bytes) with the version 4 and variant bits of RFC 9562 set."""
    b = bytearray(raw)
    b[6] = b[6] & 0x0F | 0x40
    b[8] = b[8] & 0x3F | 0x80
    return bytes(b)


def _starts_with_dash(raw: bytes) -> bool:
    """Whether the URL-safe base64 form begins with '-', which Kafka avoids because tools read it as a flag."""
    return raw[0] >> 2 == 62


class SystemEntropy:
    """The operating system's randomness."""

    def uuid(self) -> bytes:
        while _starts_with_dash(raw := uuid4_bytes(os.urandom(16))):
            pass
        return raw

    def random(self) -> float:
        return random.random()

    def randrange(self, stop: int) -> int:
        return random.randrange(stop)


class SeededEntropy:
    """Randomness that a seed repeats: for simulation and tests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> bytes:
        while _starts_with_dash(raw := uuid4_bytes(self._random.randbytes(16))):
            pass
        return raw

    def random(self) -> float:
        return self._random.random()

    def randrange(self, stop: int) -> int:
        return self._random.randrange(stop)


class Listening(Protocol):
    """An open listening socket."""

    @property
    def port(self) -> int:
        """The port it got, also when port 0 was asked for."""
        ...

    async def serve(self) -> None:
        """Begin to accept, if `listen` was told not to. Raises OSError."""
        ...

    async def close(self) -> None:
        """Stop accepting. Connections already made stay."""
        ...


class Network(Protocol):
    """The network, as one node sees it."""

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, is_serving: bool = True
    ) -> Listening:
        """Accept connections and give each a protocol of `factory`; not `is_serving`: only have the port until `serve`.

        Raises OSError.
        """
        ...

    async def connect(self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> None:
        """Connect to an address; the protocol is told of it before this returns. Raises OSError."""
        ...


class TcpListening:
    """The `Listening` of a server of asyncio's."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    async def serve(self) -> None:
        await self._server.start_serving()

    async def close(self) -> None:
        self._server.close()


class TcpNetwork:
    """TCP by the running asyncio (or uvloop) loop."""

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, is_serving: bool = True
    ) -> Listening:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, host or None, port, backlog=511, start_serving=is_serving)
        return TcpListening(server)

    async def connect(self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> None:
        await asyncio.get_running_loop().create_connection(factory, host, port)


class TlsClientNetwork(TcpNetwork):
    """TCP, with TLS on the connections that go out; `context` says whom to trust and who one is."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    async def connect(self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(factory, host, port, ssl=self._context, server_hostname=host)
