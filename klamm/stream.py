"""A socket that frames go over, as the server's connections and the proxy's links have it.

Reading pauses for reasons, a bit each, and goes on when the last of them has gone. Small chunks leave in one piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from klamm.kproto.schema import RecordBytes

WRITE_BUFFER_BYTES: Final = 4 * 1024 * 1024
_JOIN_BELOW_BYTES: Final = 65536


class Stream(asyncio.BufferedProtocol):
    """`transport` is None before the connection is made and after it is lost."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._reasons = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    @property
    def is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def is_paused_for(self, reason: int) -> bool:
        return bool(self._reasons & reason)

    def pause(self, reason: int) -> None:
        """Leave what comes in the socket, until every reason has gone."""
        if not self._reasons and self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        self._reasons |= reason

    def resume(self, reason: int) -> None:
        """One reason has gone."""
        if not self._reasons & reason:
            return
        self._reasons &= ~reason
        if not self._reasons and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def send(self, chunks: Sequence[RecordBytes]) -> None:
        """Write chunks; nothing happens when the connection is gone."""
        if self.transport is None:
            return
        if len(chunks) == 1:
            self.transport.write(chunks[0])
        elif sum(map(len, chunks)) < _JOIN_BELOW_BYTES:
            self.transport.write(b"".join(chunks))
        else:
            self.transport.writelines(chunks)

    def close(self) -> None:
        """Close after what is already written has left."""
        if self.transport is not None:
            self.transport.close()
