"""A small blocking client for a cluster's own controls: one connection, one request at a time, any message of
kproto.
"""

from __future__ import annotations

import socket
import ssl
import struct
from types import TracebackType
from typing import Self, TypeVar

from klamm.kproto.apis import APIS
from klamm.kproto.errors import ProtocolError
from klamm.kproto.messages.header import RequestHeader
from klamm.kproto.schema import Message

R = TypeVar("R", bound=Message)


class WireClient:
    """Requests to one address. Raises OSError when the connection fails, ProtocolError for an answer that is none."""

    def __init__(
        self,
        address: str,
        timeout_s: float = 30.0,
        client_id: str = "klamm-testing",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        self._socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        self._client_id = client_id
        self._correlation_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, request: Message, version: int) -> int:
        """Send a request; gives its correlation id."""
        self._correlation_id += 1
        api = APIS[type(request).__schema__.key]
        header = RequestHeader(
            request_api_key=api.key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self._client_id,
        )
        frame = header.encode(api.request_header_version(version)) + request.encode(version)
        self._socket.sendall(struct.pack(">i", len(frame)) + frame)
        return self._correlation_id

    def receive(self, response: type[R], version: int, correlation_id: int) -> R:
        """The answer to the request of that correlation id, which must be the next to come."""
        (size,) = struct.unpack(">i", self._read(4))
        frame = self._read(size)
        (got,) = struct.unpack_from(">i", frame)
        if got != correlation_id:
            raise ProtocolError(f"an answer with correlation id {got} where {correlation_id} was expected")
        api = APIS[response.__schema__.key]
        start = 4 + api.response_header_version(version)
        return response.decode_from(frame, start, version)[0]

    def ask(self, request: Message, version: int, response: type[R]) -> R:
        """Send a request and wait for its answer."""
        return self.receive(response, version, self.send(request, version))

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise ConnectionResetError("the broker closed the connection")
            data += part
        return bytes(data)
