"""The way to the active controller: by a call when it is in this process, else over a channel to where it listens.

A request that meets no controller, or one that is none any more, is sent again until its time is over. One that is on
its way to a controller is sent again as soon as this node knows of another: the old one may never answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from klamm.channel import Channel, Channels
from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.schema import Message
from klamm.reply import Reply

if TYPE_CHECKING:
    from klamm.metadata.node_metadata import MetadataNode
    from klamm.metadata.raft.voters import VoterEndpoint
    from klamm.seams import Timer

_RETRY_MS: Final = 50.0
_RETRIED: Final = frozenset(
    {errors.NOT_CONTROLLER, errors.NETWORK_EXCEPTION, errors.REQUEST_TIMED_OUT, errors.BROKER_NOT_AVAILABLE}
)
"""What says nothing of the request itself."""


class ToController(Protocol):
    """What a broker's parts need of it."""

    def send(self, request: Message, *, timeout_ms: float | None = None) -> Reply[Message]:
        """Send a request; the reply resolves with the answer, or with a KafkaError when the time is over."""
        ...


class ControllerChannel:
    """The `ToController` of a node. `timeout_ms`: for how long a request is tried; `connect_timeout_ms`: for how long a
    connection.
    """

    def __init__(
        self,
        metadata: MetadataNode,
        channels: Channels,
        client_id: str,
        timeout_ms: float,
        connect_timeout_ms: float | None = None,
    ) -> None:
        self._metadata = metadata
        self._channels = channels
        self._client_id = client_id
        self._timeout_ms = timeout_ms
        self._connect_timeout_ms = timeout_ms if connect_timeout_ms is None else connect_timeout_ms
        self._channel: Channel | None = None
        self._sending: dict[_Sending, None] = {}
        """What has no answer, in the order in which it came: it is sent again in it."""
        self._is_closed = False
        metadata.on_leader(self._leader_changed)

    def send(self, request: Message, *, timeout_ms: float | None = None) -> Reply[Message]:
        return self.call(lambda: self._metadata.submit(request), request, timeout_ms)

    def call(self, here: Callable[[], Any], request: Message, timeout_ms: float | None = None) -> Reply[Any]:
        """Give the answer of `here()`, or a future's, while the controller is in this process; else send `request`."""
        sending = _Sending(self, here, request, self._timeout_ms if timeout_ms is None else timeout_ms)
        self._sending[sending] = None
        sending.attempt()
        return sending.reply

    def close(self) -> None:
        """Send nothing any more; what has no answer fails."""
        self._is_closed = True
        if self._channel is not None:
            self._channel.close()
        for sending in list(self._sending):
            sending.give_up(KafkaError(errors.NETWORK_EXCEPTION, "this node stops"))

    def _leader_changed(self) -> None:
        """Wait no longer for who leads no more. While nobody is known to lead, the last one may answer yet."""
        metadata = self._metadata
        if self._is_closed or metadata.controller_id < 0:
            return
        is_here = metadata.controller_id == metadata.storage.node_id
        endpoint, channel = metadata.controller_endpoint, self._channel
        if channel is not None and (is_here or endpoint is None or not _leads_to(channel, endpoint)):
            self._channel = None
            channel.close()
        if not is_here:
            for sending in list(self._sending):
                sending.hasten()

    def ended(self, sending: _Sending) -> None:
        self._sending.pop(sending, None)

    @property
    def metadata(self) -> MetadataNode:
        return self._metadata

    @property
    def channels(self) -> Channels:
        return self._channels

    def channel(self, endpoint: VoterEndpoint) -> Channel:
        """The channel to where the controller listens now."""
        known = self._channel
        if known is not None and _leads_to(known, endpoint):
            return known
        if known is not None:
            known.close()
        self._channel = Channel(
            self._channels,
            endpoint.host,
            endpoint.port,
            client_id=self._client_id,
            request_timeout_ms=self._connect_timeout_ms,
        )
        return self._channel


def _leads_to(channel: Channel, endpoint: VoterEndpoint) -> bool:
    return (channel.host, channel.port) == (endpoint.host, endpoint.port)


class _Sending:
    """One request on its way."""

    def __init__(self, owner: ControllerChannel, here: Callable[[], Any], request: Message, timeout_ms: float) -> None:
        self.reply: Reply[Any] = Reply()
        self._owner = owner
        self._here = here
        self._request = request
        self._deadline_ms = owner.channels.clock.monotonic_ms() + timeout_ms
        self._timer: Timer | None = None

    def attempt(self) -> None:
        self._timer = None
        metadata = self._owner.metadata
        if metadata.is_active:
            try:
                answer = self._here()
            except KafkaError as error:
                self._answered(error)
                return
            if isinstance(answer, asyncio.Future):
                answer.add_done_callback(self._done)
            else:
                self._answered(answer)
            return
        endpoint = metadata.controller_endpoint
        if endpoint is None or metadata.controller_id == metadata.storage.node_id:
            self._again(KafkaError(errors.NOT_CONTROLLER, "no controller is known"))
            return
        left_ms = self._deadline_ms - self._owner.channels.clock.monotonic_ms()
        self._owner.channel(endpoint).send(self._request, timeout_ms=max(left_ms, 1)).then(self._answered)

    def _done(self, answer: asyncio.Future[Any]) -> None:
        error = KafkaError(errors.NOT_CONTROLLER) if answer.cancelled() else answer.exception()
        self._answered(answer.result() if error is None else error)

    def _answered(self, answer: Any) -> None:
        if isinstance(answer, KafkaError):
            code = answer.code
        else:
            code = getattr(answer, "error_code", errors.NONE)
        if code in _RETRIED:
            self._again(answer)
        else:
            self._resolve(answer)

    def _again(self, answer: Any) -> None:
        clock = self._owner.channels.clock
        if self.reply.is_resolved:
            return
        if clock.monotonic_ms() + _RETRY_MS >= self._deadline_ms:
            self._resolve(answer)
        else:
            self._timer = clock.call_later(_RETRY_MS, self.attempt)

    def hasten(self) -> None:
        """Attempt now what waits for the next attempt."""
        if self._timer is not None:
            self._timer.cancel()
            self.attempt()

    def give_up(self, error: KafkaError) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._resolve(error)

    def _resolve(self, answer: Any) -> None:
        self._owner.ended(self)
        self.reply.resolve(answer)
