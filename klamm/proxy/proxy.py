"""The proxy: a listening port for every address of the cluster that a client is told, and the links behind them.

It follows what the servers answer; nothing is asked on its own account. Clock, network and watcher come from outside.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from klamm.kproto.frame import SCRATCH_BYTES, SpareBuffers
from klamm.proxy.link import Link, Watcher
from klamm.proxy.subjects import TopicNames

if TYPE_CHECKING:
    from klamm.proxy.addresses import Address
    from klamm.proxy.faults import Faults
    from klamm.seams import Clock, Listening, Network

_EVERY_ADDRESS: Final = ("", "0.0.0.0", "::")


class Proxy:
    """Between any client and the servers of `to`.

    `listen`: where the bootstrap address is, port 0 for a free one. Further nodes get free ports of the same host, or
    those of `ports` in their order. `advertise`: the host that clients are told; the one by which they came without it.
    """

    def __init__(
        self,
        listen: Address,
        to: Address,
        *,
        network: Network,
        clock: Clock,
        upstream: Network | None = None,
        watcher: Watcher | None = None,
        faults: Faults | None = None,
        names: TopicNames | None = None,
        advertise: str | None = None,
        ports: range | None = None,
    ) -> None:
        self.network = upstream or network
        """By which the servers are reached."""
        self.clock = clock
        self.watcher = watcher
        self.faults = faults
        self.names = names or TopicNames()
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self.spares = SpareBuffers()
        self.to = to
        self._listen = listen
        self._listen_network = network
        self._advertise = advertise
        self._ports = iter(ports) if ports is not None else None
        self._listening: dict[Address, Listening] = {}
        self._opening: dict[Address, asyncio.Lock] = {}
        self._links: dict[int, Link] = {}
        self._next_id = 0

    async def start(self) -> None:
        """Listen for the bootstrap address. Raises OSError."""
        await self._open(self.to, self._listen[1])

    @property
    def port(self) -> int:
        """Where clients find the bootstrap address."""
        return self._listening[self.to].port

    @property
    def address(self) -> str:
        """What clients take as bootstrap address, on this machine."""
        host = self._listen[0]
        return f"{'127.0.0.1' if host in _EVERY_ADDRESS else host}:{self.port}"

    @property
    def followed(self) -> dict[Address, int]:
        """Address of a server -> the port that leads to it."""
        return {address: listening.port for address, listening in self._listening.items()}

    async def stop(self) -> None:
        """Close every port and connection."""
        for listening in self._listening.values():
            await listening.close()
        for link in list(self._links.values()):
            link.end("proxy")
        self._listening.clear()

    # -- what the links ask --

    def local(self, link: Link, address: Address) -> Address | None:
        """Where the client of a link is to go for that address of a server; None before it is followed."""
        listening = self._listening.get(address)
        return None if listening is None else (self._advertise or link.local_host, listening.port)

    async def follow(self, address: Address) -> None:
        """Have a port for that address. Raises OSError."""
        async with self._opening.setdefault(address, asyncio.Lock()):
            if address not in self._listening:
                await self._open(address, next(self._ports, 0) if self._ports is not None else 0)

    def ended(self, link: Link) -> None:
        """Forget a link."""
        self._links.pop(link.id, None)
        if self.faults is not None:
            self.faults.forget(link)

    async def _open(self, address: Address, port: int) -> None:
        def accept() -> asyncio.BaseProtocol:
            self._next_id += 1
            link = self._links[self._next_id] = Link(self, self._next_id, address)
            return link.client_side

        self._listening[address] = await self._listen_network.listen(accept, self._listen[0], port)
