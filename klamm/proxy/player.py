"""A connection that says frames and waits for answers by their correlation ids."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final, cast

from klamm.kproto.frame import SCRATCH_BYTES, FrameReader

if TYPE_CHECKING:
    from klamm.seams import Clock

_SIZE: Final = struct.Struct(">i")
_FRAME_SIZE_MAX: Final = 0x7FFFFFFF


class Player(asyncio.BufferedProtocol):
    """One connection. Answers that nobody waits for yet are kept."""

    def __init__(self) -> None:
        self.is_closed = False
        self._frames = FrameReader(memoryview(bytearray(SCRATCH_BYTES)), _FRAME_SIZE_MAX)
        self._transport: asyncio.Transport | None = None
        self._answers: list[bytes] = []
        self._arrived = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frames.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._answers += [bytes(frame) for frame in self._frames.received(nbytes)]
        if self._frames.error is not None:
            self.close()
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.is_closed = True
        self._arrived.set()

    def send(self, frame: bytes) -> None:
        """Send a frame, its size in front."""
        if self._transport is not None:
            self._transport.write(_SIZE.pack(len(frame)) + frame)

    async def answer(self, correlation_id: int, clock: Clock, timeout_ms: float) -> bytes | None:
        """The answer with that correlation id; None when the connection has ended or the time has passed."""
        is_late = False

        def late() -> None:
            nonlocal is_late
            is_late = True
            self._arrived.set()

        timer = clock.call_later(timeout_ms, late)
        try:
            while True:
                self._arrived.clear()
                for at, frame in enumerate(self._answers):
                    if len(frame) >= 4 and _SIZE.unpack_from(frame)[0] == correlation_id:
                        return self._answers.pop(at)
                if self.is_closed or is_late:
                    return None
                await self._arrived.wait()
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()
