"""Ports that stay a cluster's own: held from before its nodes start until it ends, whether a node listens or not.

The nodes of a cluster must know each other's ports before any of them listens, and one that was killed comes back to
the port it had. A bound socket beside the node's own keeps a port from everybody else; it never listens, so that
connections to a node that is down are refused.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from klamm.seams import Listening, TcpListening, TcpNetwork


class HeldPorts(TcpNetwork):
    """Ports of one host, and the network that lets nodes listen on them."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._holders: dict[int, socket.socket] = {}

    def hold(self, port: int = 0) -> int:
        """Hold a port, a free one for 0; gives it. Raises OSError."""
        if port:
            _bound(self._host, port, is_shared=False).close()  # somebody else's port is nobody's to hold
        holder = _bound(self._host, port)
        held: int = holder.getsockname()[1]
        self._holders[held] = holder
        return held

    def release(self) -> None:
        """Let all ports go."""
        for holder in self._holders.values():
            holder.close()
        self._holders.clear()

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, is_serving: bool = True
    ) -> Listening:
        if port not in self._holders:
            return await super().listen(factory, host, port, is_serving=is_serving)
        loop = asyncio.get_running_loop()
        bound = _bound(self._host, port)
        server = await loop.create_server(factory, sock=bound, backlog=511, start_serving=is_serving)
        return TcpListening(server)


def _bound(host: str, port: int, *, is_shared: bool = True) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        # Where a system has none of it, a port is only as safe as any that was free a moment ago.
        if is_shared and hasattr(socket, "SO_REUSEPORT"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound
