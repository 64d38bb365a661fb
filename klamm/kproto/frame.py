"""Frames and headers, sans-io: bytes go in where `buffer` says, whole frames come out. No sockets here.

A frame is an int32 size and that many bytes: a request or response header, then the body. The connections of an event
loop share one scratch buffer; a frame that does not fit gets a buffer of its own: one that was used before and that
nobody looks at any more, else one that grows with the bytes that arrive, so that a peer that only claims 100 MiB costs
next to nothing.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Final, NamedTuple

from klamm.kproto.apis import APIS
from klamm.kproto.codec_reader import read_uvarint
from klamm.kproto.errors import ProtocolError

SCRATCH_BYTES: Final = 65536
_GROWTH_START: Final = 131072
_GROWTH_STEP: Final = 65536
_SPARE_BYTES_MAX: Final = 16 * 1024 * 1024
_SIZE: Final = struct.Struct(">i")
_HEADER: Final = struct.Struct(">hhih")
_HEADER_START: Final = struct.Struct(">hhi")
_PREFIX_0: Final = struct.Struct(">ii").pack
_PREFIX_1: Final = struct.Struct(">iix").pack


class RequestHeader(NamedTuple):
    """A request's header and where its body starts."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    body: int


def read_api(frame: memoryview) -> tuple[int, int, int]:
    """(api key, version, correlation id): enough to refuse a request. Raises ProtocolError."""
    if len(frame) < 8:
        raise ProtocolError("a request of fewer than 8 bytes has no header")
    key, version, correlation_id = _HEADER_START.unpack_from(frame)
    return key, version, correlation_id


def read_request_header(frame: memoryview) -> RequestHeader:
    """Header version 1 or 2, as the API and version say. Raises ProtocolError, also for an API that there is not."""
    try:
        key, version, correlation_id, size = _HEADER.unpack_from(frame)
        api = APIS.get(key)
        if api is None:
            raise ProtocolError(f"there is no API with key {key}")
        position = 10
        client_id = None
        if size >= 0:
            position += size
            if position > len(frame):
                raise ProtocolError("the client id ends behind the frame")
            client_id = str(frame[10:position], "utf-8", "kafka")  # the reader's way with malformed UTF-8
        if api.request_header_version(version) == 2:
            count = frame[position]
            position += 1
            if count:
                position = _skip_tags(frame, position - 1)
    except (struct.error, IndexError):
        raise ProtocolError("the frame ends inside its header") from None
    return RequestHeader(key, version, correlation_id, client_id, position)


def _skip_tags(frame: memoryview, position: int) -> int:
    count, position = read_uvarint(frame, position)
    for _ in range(count):
        _, position = read_uvarint(frame, position)
        size, position = read_uvarint(frame, position)
        if size < 0 or position + size > len(frame):
            raise ProtocolError("a tagged field of the header ends behind the frame")
        position += size
    return position


def response_prefix(size: int, correlation_id: int, header_version: int) -> bytes:
    """The frame's size and the response header; `size` is the body's."""
    if header_version:
        return _PREFIX_1(size + 5, correlation_id)
    return _PREFIX_0(size + 4, correlation_id)


class SpareBuffers:
    """Buffers of large frames, to be used again: fresh memory costs more than the bytes that are read into it."""

    __slots__ = ("_buffers", "_size")

    def __init__(self) -> None:
        self._buffers: deque[bytearray] = deque()
        self._size = 0

    def take(self, size: int) -> bytearray | None:
        """A buffer of at least `size` bytes of which nobody holds a view."""
        for at, buffer in enumerate(self._buffers):
            if len(buffer) >= size and _is_free(buffer):
                del self._buffers[at]
                self._size -= len(buffer)
                return buffer
        return None

    def put(self, buffer: bytearray) -> None:
        """Keep a buffer, which may be looked at for as long as it takes. The oldest go when there are too many."""
        self._buffers.append(buffer)
        self._size += len(buffer)
        while self._size > _SPARE_BYTES_MAX:
            self._size -= len(self._buffers.popleft())


def _is_free(buffer: bytearray) -> bool:
    """Python refuses to resize a bytearray while there are views of it."""
    try:
        last = buffer.pop()
    except BufferError:
        return False
    buffer.append(last)
    return True


class FrameReader:
    """Cuts one connection's stream into frames.

    `buffer()` tells where the next bytes are to be put; `received(n)` gives the frames that are whole by then. They are
    views, good until the next `buffer()`, except for those that `owned` says stand in a buffer of their own. `scratch`
    and `spares` belong to one event loop: reading into the one and cutting it are two steps.
    """

    __slots__ = ("_big", "_have", "_need", "_scratch", "_spares", "_tail", "error", "owned", "size_max")

    def __init__(self, scratch: memoryview, size_max: int, spares: SpareBuffers | None = None) -> None:
        self._scratch = scratch
        self._spares = spares or SpareBuffers()
        self.size_max = size_max
        self._tail = b""  # the start of a frame that is cut within the scratch buffer
        self._big: bytearray | None = None
        self._have = self._need = 0
        self.owned = False
        self.error: ProtocolError | None = None
        """Why the stream cannot be read on: a size below 0 or above the limit. The frames before it count."""

    @property
    def pending_bytes(self) -> int:
        """Bytes held of a frame that is not whole yet."""
        return self._have if self._big is not None else len(self._tail)

    def buffer(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._big is None:
            return self._scratch[len(self._tail) :]
        if self._have == len(self._big):
            self._big = self._big + bytes(min(_rounded(self._need), self._have * 4) - self._have)
        return memoryview(self._big)[self._have : self._need]

    def received(self, count: int) -> list[memoryview]:
        """The whole frames, without their sizes. Look at `error` after it."""
        if self._big is not None:
            return self._received_big(count)
        held = len(self._tail)
        end = held + count
        data = self._scratch
        if held:
            data[:held] = self._tail
            self._tail = b""
        frames: list[memoryview] = []
        position = 0
        self.owned = False
        while end - position >= 4:
            (size,) = _SIZE.unpack_from(data, position)
            if size < 0 or size > self.size_max:
                self.error = ProtocolError(f"a frame of {size} bytes (the limit is {self.size_max})")
                return frames
            stop = position + 4 + size
            if stop > end:
                if size + 4 > len(data):
                    self._start_big(size, data[position + 4 : end])
                    return frames
                break
            frames.append(data[position + 4 : stop])
            position = stop
        if position < end:
            self._tail = bytes(data[position:end])
        return frames

    def _start_big(self, size: int, start: memoryview) -> None:
        self._need = size
        self._have = len(start)
        self._big = self._spares.take(size) or bytearray(min(_rounded(size), max(_GROWTH_START, self._have)))
        self._big[: self._have] = start

    def _received_big(self, count: int) -> list[memoryview]:
        self._have += count
        if self._have < self._need:
            return []
        assert self._big is not None
        frame = memoryview(self._big)[: self._need]
        self._spares.put(self._big)
        self._big = None
        self.owned = True
        return [frame]


def _rounded(size: int) -> int:
    """Buffers of nearly the same size fit each other's frames."""
    return -(-size // _GROWTH_STEP) * _GROWTH_STEP
