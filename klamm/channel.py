"""The near end of a connection to another node: requests out, answers in, in the order of the requests.

A channel connects when there is something to send, and again after it has lost its connection; who sends decides when
to try again. With negotiation it asks for the peer's versions first (KIP-35) and speaks the newest that both know;
without, as between replicas, the sender says which.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import struct
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from klamm.kproto import apis, errors
from klamm.kproto.apis import APIS, Api
from klamm.kproto.catalog import message_class
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES, FrameReader, SpareBuffers
from klamm.kproto.messages.header import RequestHeader
from klamm.kproto.schema import Message, RecordBytes
from klamm.reply import Reply

if TYPE_CHECKING:
    from klamm.kproto.messages.api_versions import ApiVersionsResponse
    from klamm.seams import Clock, Network, Timer

log = logging.getLogger(__name__)

RESPONSE_SIZE_MAX: Final = 1 << 30
"""A peer that claims more is not one. Fetches are bounded by what they ask for."""
_API_VERSIONS_VERSION: Final = 4
_SIZE: Final = struct.Struct(">i")
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""`struct linger`: on, and no time."""
SOFTWARE_NAME: Final = "klamm"
SOFTWARE_VERSION: Final = "1"


class _Sent(NamedTuple):
    """A request whose answer is to come."""

    correlation_id: int
    api: Api
    version: int
    deadline_ms: float
    reply: Reply[Message]


class _Unsent(NamedTuple):
    """A request that waits for the connection. `version` None: the newest that both sides know."""

    request: Message
    version: int | None
    timeout_ms: float
    reply: Reply[Message]


@cache
def response_class(key: int) -> type[Message]:
    """The class of the answers of an API, imported when it is first asked for."""
    return message_class(f"{APIS[key].name}Response")


class Channels:
    """What the channels of one event loop share."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self.network = network
        self.clock = clock
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self.spares = SpareBuffers()


class Channel:
    """A connection to `host`:`port`. Every reply resolves, with the answer or a KafkaError:

    NETWORK_EXCEPTION (no connection, or it was lost), REQUEST_TIMED_OUT, UNSUPPORTED_VERSION (the peer does not know
    the API in a version of ours, or the request cannot be written in what it knows).
    """

    def __init__(
        self,
        channels: Channels,
        host: str,
        port: int,
        *,
        client_id: str,
        request_timeout_ms: float,
        is_negotiating: bool = True,
    ) -> None:
        self.host, self.port = host, port
        self._channels = channels
        self._client_id = client_id
        self._request_timeout_ms = request_timeout_ms
        self._is_negotiating = is_negotiating
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unsent: deque[_Unsent] = deque()
        self._is_closed = False

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def send(self, request: Message, version: int | None = None, *, timeout_ms: float | None = None) -> Reply[Message]:
        """Send a request, of that version when one is given. `timeout_ms` counts from when it leaves."""
        reply: Reply[Message] = Reply()
        if self._is_closed:
            reply.resolve(KafkaError(errors.NETWORK_EXCEPTION, "the channel is closed"))
            return reply
        timeout_ms = self._request_timeout_ms if timeout_ms is None else timeout_ms
        unsent = _Unsent(request, version, timeout_ms, reply)
        if self._connection is not None and self._connection.is_ready:
            self._connection.send(unsent)
            return reply
        self._unsent.append(unsent)
        if self._connection is None and self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
        return reply

    async def _connect(self) -> None:
        connection = _Connection(self, self._channels, self._client_id)
        timer = self._channels.clock.call_later(self._request_timeout_ms, self._connect_timed_out)
        try:
            await self._channels.network.connect(lambda: connection, self.host, self.port)
        except OSError as error:
            self._connecting = None
            self._fail_unsent(KafkaError(errors.NETWORK_EXCEPTION, f"{self.host}:{self.port}: {error}"))
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            timer.cancel()
        self._connecting = None
        if self._is_closed:
            connection.close()
            return
        self._connection = connection
        if self._is_negotiating:
            connection.negotiate(self._request_timeout_ms)
        else:
            connection.is_ready = True
            self.ready(connection)

    def _connect_timed_out(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
            self._fail_unsent(KafkaError(errors.REQUEST_TIMED_OUT, f"{self.host}:{self.port} does not answer"))

    def ready(self, connection: _Connection) -> None:
        """The connection can be used: what has waited for it leaves."""
        waiting, self._unsent = self._unsent, deque()
        for unsent in waiting:
            connection.send(unsent)

    def lost(self, connection: _Connection, error: KafkaError) -> None:
        """The connection is no more."""
        if self._connection is connection:
            self._connection = None
            self._fail_unsent(error)

    def _fail_unsent(self, error: KafkaError) -> None:
        waiting, self._unsent = self._unsent, deque()
        for unsent in waiting:
            unsent.reply.resolve(error)

    def close(self) -> None:
        """Close the connection; every request without an answer fails with NETWORK_EXCEPTION."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        error = KafkaError(errors.NETWORK_EXCEPTION, "the channel is closed")
        if self._connection is not None:
            self._connection.fail(error)
        self._fail_unsent(error)


class _Connection(asyncio.BufferedProtocol):
    """One TCP connection of a channel."""

    def __init__(self, channel: Channel, channels: Channels, client_id: str) -> None:
        self.is_ready = False
        self._channel = channel
        self._clock = channels.clock
        self._client_id = client_id
        self._frames = FrameReader(channels.scratch, RESPONSE_SIZE_MAX, channels.spares)
        self._transport: asyncio.Transport | None = None
        self._sent: deque[_Sent] = deque()
        self._correlation_id = 0
        self._versions: dict[int, tuple[int, int]] | None = None
        self._timer: Timer | None = None
        self._check_ms = math.inf

    # -- asyncio's side --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frames.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        frames = self._frames
        try:
            for frame in frames.received(nbytes):
                self._answered(frame if frames.owned else memoryview(bytes(frame)))
            if frames.error is not None:
                raise frames.error
        except ProtocolError as error:
            log.warning("%s:%d: %s", self._channel.host, self._channel.port, error)
            self.fail(KafkaError(errors.NETWORK_EXCEPTION, str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.fail(KafkaError(errors.NETWORK_EXCEPTION, str(exc) if exc else "the connection was closed"))

    # -- requests --

    def negotiate(self, timeout_ms: float) -> None:
        from klamm.kproto.messages.api_versions import ApiVersionsRequest

        request = ApiVersionsRequest(client_software_name=SOFTWARE_NAME, client_software_version=SOFTWARE_VERSION)
        reply: Reply[Message] = Reply()
        reply.then(self._negotiated)
        self.send(_Unsent(request, _API_VERSIONS_VERSION, timeout_ms, reply))

    def _negotiated(self, answer: Message | Exception) -> None:
        if isinstance(answer, Exception):
            return
        response = cast("ApiVersionsResponse", answer)
        if response.error_code:
            self.fail(KafkaError(response.error_code, "the peer does not tell its versions"))
            return
        self._versions = {row.api_key: (row.min_version, row.max_version) for row in response.api_keys}
        self.is_ready = True
        self._channel.ready(self)

    def send(self, unsent: _Unsent) -> None:
        request, version, timeout_ms, reply = unsent
        if self._transport is None or self._transport.is_closing():
            reply.resolve(KafkaError(errors.NETWORK_EXCEPTION, "the connection is closed"))
            return
        api = APIS[type(request).__schema__.key]
        try:
            version = self._newest(api) if version is None else version
            parts: list[RecordBytes] = [b""]
            request.encode_to(parts, version)
        except (KafkaError, ProtocolError) as error:
            reply.resolve(KafkaError(errors.UNSUPPORTED_VERSION, str(error)))
            return
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        header = RequestHeader(
            request_api_key=api.key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self._client_id,
        ).encode(api.request_header_version(version))
        parts[0] = _SIZE.pack(len(header) + sum(map(len, parts))) + header
        deadline_ms = self._clock.monotonic_ms() + timeout_ms
        self._sent.append(_Sent(self._correlation_id, api, version, deadline_ms, reply))
        if deadline_ms < self._check_ms:
            self._check_at(deadline_ms)
        self._transport.write(b"".join(parts))

    def _newest(self, api: Api) -> int:
        low, high = (self._versions or {}).get(api.key, (0, -1))
        if not max(low, api.low) <= min(high, api.high):
            raise KafkaError(errors.UNSUPPORTED_VERSION, f"the peer knows {api.name} only in versions {low} to {high}")
        return min(high, api.high)

    def _answered(self, frame: memoryview) -> None:
        if len(frame) < 4 or not self._sent:
            raise ProtocolError("an answer to nothing")
        (correlation_id,) = _SIZE.unpack_from(frame)
        sent = self._sent.popleft()
        if correlation_id != sent.correlation_id:
            self._sent.appendleft(sent)
            raise ProtocolError(f"an answer with correlation id {correlation_id}, {sent.correlation_id} is due")
        start, version = 4 + sent.api.response_header_version(sent.version), sent.version
        if sent.api.key == apis.API_VERSIONS and bytes(frame[4:6]) == b"\x00\x23":
            version = 0  # UNSUPPORTED_VERSION is told in version 0, to who asked in whatever version (KIP-511)
        try:
            response = response_class(sent.api.key).decode_from(frame, start, version)[0]
        except ProtocolError:
            self._sent.appendleft(sent)
            raise
        sent.reply.resolve(response)

    def _check_at(self, deadline_ms: float) -> None:
        """Look at what has no answer then; who waits the least need not be who asked first."""
        if self._timer is not None:
            self._timer.cancel()
        self._check_ms = deadline_ms
        self._timer = self._clock.call_later(deadline_ms - self._clock.monotonic_ms(), self._check_time)

    def _check_time(self) -> None:
        self._timer, self._check_ms = None, math.inf
        first = min(self._sent, key=lambda sent: sent.deadline_ms, default=None)
        if first is None:
            return
        if first.deadline_ms <= self._clock.monotonic_ms():
            self.fail(KafkaError(errors.REQUEST_TIMED_OUT, f"{first.api.name} was not answered in time"))
        else:
            self._check_at(first.deadline_ms)

    def fail(self, error: KafkaError) -> None:
        """Close, and tell who waits for an answer."""
        self.is_ready = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.close()
        waiting, self._sent = self._sent, deque()
        self._channel.lost(self, error)
        for sent in waiting:
            sent.reply.resolve(error)

    def close(self) -> None:
        if self._transport is not None:
            if self._sent:
                # What the other side has not got yet it is not to get any more: it is about to be sent again, or given
                # up, and a copy that comes late would be carried out, whatever was done meanwhile.
                _reset(self._transport)
            else:
                self._transport.close()
            self._transport = None


def _reset(transport: asyncio.Transport) -> None:
    """End a connection and what the system has still to send on it."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
