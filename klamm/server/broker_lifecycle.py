"""This broker's life as the controller sees it: registration, heartbeats, fencing, controlled shutdown (KIP-631).

A broker registers fenced, follows the metadata up to its registration, and is unfenced by a heartbeat. One whose
heartbeats do not arrive is fenced, and unfenced by the first that does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest, BrokerRegistrationResponse
from klamm.metadata import features

if TYPE_CHECKING:
    from klamm.log.log_dirs import LogDirs
    from klamm.metadata.image.cluster import Endpoint
    from klamm.metadata.node_metadata import MetadataNode
    from klamm.seams import Clock, Entropy, Timer
    from klamm.server.to_controller import ToController

_logger = logging.getLogger(__name__)

_FINAL: Final = frozenset(
    {errors.INCONSISTENT_CLUSTER_ID, errors.INVALID_REGISTRATION, errors.UNSUPPORTED_VERSION, errors.INVALID_REQUEST}
)
"""Errors of a registration that trying again does not mend."""
_CATCHING_UP_MS: Final = 10.0
_REGISTRATION_RETRY_MS: Final = 500.0
_SHUTDOWN_MS: Final = 50.0
_SHUTDOWN_UNHEARD_MS: Final = 5000.0
"""A broker that stops waits no longer for a controller that does not answer: it may be stopping, too."""


class BrokerLifecycle:
    """`heartbeat_ms`: `broker.heartbeat.interval.ms`; `session_ms`: `broker.session.timeout.ms`;
    `registration_timeout_ms`: for how long registration is tried.
    """

    def __init__(
        self,
        controller: ToController,
        metadata: MetadataNode,
        log_dirs: LogDirs,
        clock: Clock,
        entropy: Entropy,
        *,
        heartbeat_ms: float,
        session_ms: float,
        registration_timeout_ms: float,
    ) -> None:
        self.broker_epoch = -1
        """The epoch of this broker's registration; -1 before it."""
        self._controller = controller
        self._metadata = metadata
        self._log_dirs = log_dirs
        self._clock = clock
        self._incarnation_id = entropy.uuid()
        self._heartbeat_ms = heartbeat_ms
        # As in Kafka: the session is not over when the first heartbeat without an answer is given up.
        self._request_timeout_ms = session_ms / 2
        self._registration_timeout_ms = registration_timeout_ms
        self._is_fenced = True
        self._is_stopping = False
        self._is_news = False
        """The next heartbeat has something to tell that came while one was under way."""
        self._timer: Timer | None = None
        self._beat: asyncio.Task[None] | None = None

    # -- coming --

    async def register(self, listeners: Sequence[Endpoint], rack: str | None = None) -> None:
        """Register, fenced. Raises KafkaError when the controller will not have this broker."""
        row = BrokerRegistrationRequest
        request = row(
            broker_id=self._metadata.storage.node_id,
            cluster_id=self._metadata.storage.cluster_id,
            incarnation_id=self._incarnation_id,
            listeners=[
                row.Listener(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
                for e in listeners
            ],
            features=[
                row.Feature(name=name, min_supported_version=r.min_version, max_supported_version=r.max_version)
                for name, r in features.SUPPORTED.items()
            ],
            rack=rack,
            log_dirs=self._log_dirs.registered_ids,
            previous_broker_epoch=self._log_dirs.previous_broker_epoch,
        )
        deadline_ms = self._clock.monotonic_ms() + self._registration_timeout_ms
        while True:
            left_ms = deadline_ms - self._clock.monotonic_ms()
            try:
                # No longer than a heartbeat: a controller that has lost power never says that it has gone.
                timeout_ms = min(left_ms, self._request_timeout_ms)
                response = await self._controller.send(request, timeout_ms=timeout_ms).future()
                assert isinstance(response, BrokerRegistrationResponse)
                if response.error_code != errors.NONE:
                    raise KafkaError(response.error_code)
                self.broker_epoch = response.broker_epoch
                return
            except KafkaError as error:
                # A broker that was killed is taken for alive until its session is over.
                if error.code in _FINAL or left_ms <= _REGISTRATION_RETRY_MS:
                    raise
                _logger.info("the controller does not register this broker yet: %s", error)
            await self._pause(_REGISTRATION_RETRY_MS)

    async def unfence(self) -> None:
        """This broker is ready to serve: it may lead partitions from now on. Done when the controller knows it."""
        while self._is_fenced:
            try:
                response = await self._send(self._heartbeat(), self._request_timeout_ms)
                self._is_fenced = response.is_fenced
            except KafkaError as error:
                _logger.warning("the controller does not unfence this broker yet: %s", error)
                await self._pause(_REGISTRATION_RETRY_MS)
            else:
                if self._is_fenced:
                    await self._pause(_CATCHING_UP_MS)
        self._schedule(self._heartbeat_ms)

    # -- living --

    def _schedule(self, delay_ms: float) -> None:
        if not self._is_stopping:
            self._timer = self._clock.call_later(delay_ms, self._start_beat)

    def _start_beat(self) -> None:
        self._beat = asyncio.ensure_future(self._tell_that_it_lives())

    async def _tell_that_it_lives(self) -> None:
        began_ms = self._clock.monotonic_ms()
        wait_ms = self._heartbeat_ms
        try:
            response = await self._send(self._heartbeat(), self._request_timeout_ms)
            if response.is_fenced != self._is_fenced:
                self._is_fenced = response.is_fenced
                _logger.info("this broker is %s", "fenced" if response.is_fenced else "unfenced")
            if response.is_fenced:
                wait_ms = min(wait_ms, _REGISTRATION_RETRY_MS)
        except KafkaError as error:
            _logger.warning("the controller does not take the heartbeat: %s", error)
        if self._is_news:
            self._is_news, wait_ms = False, 0
        self._schedule(max(wait_ms - (self._clock.monotonic_ms() - began_ms), 0))

    def tell_at_once(self) -> None:
        """What heartbeats tell has changed. Before the first one there is no need to."""
        if self._beat is not None and not self._beat.done():
            self._is_news = True
        elif self._timer is not None:
            self._timer.cancel()
            self._schedule(0)

    async def report_offline(self, directory_ids: Sequence[bytes]) -> None:
        """Tell that directories of this broker have failed. Raises KafkaError."""
        request = self._heartbeat()
        request.offline_log_dirs = list(directory_ids)
        await self._send(request)

    # -- going --

    async def controlled_shutdown(self) -> None:
        """Hand over what this broker leads, and be fenced. Raises KafkaError."""
        self.close()
        if self.broker_epoch < 0:
            return
        while True:
            response = await self._send(self._heartbeat(want_shut_down=True), _SHUTDOWN_UNHEARD_MS)
            if response.should_shut_down:
                return
            if not self._metadata.is_alone:
                await self._pause(_SHUTDOWN_MS)

    def close(self) -> None:
        """Tell nothing more by itself."""
        self._is_stopping = True
        if self._timer is not None:
            self._timer.cancel()
        if self._beat is not None:
            self._beat.cancel()

    # -- heartbeats --

    def _heartbeat(self, *, want_shut_down: bool = False) -> BrokerHeartbeatRequest:
        is_cordoning = features.is_cordoned_log_dirs_supported(self._metadata.image.metadata_version)
        return BrokerHeartbeatRequest(
            broker_id=self._metadata.storage.node_id,
            broker_epoch=self.broker_epoch,
            current_metadata_offset=self._metadata.current_offset,
            want_fence=False,
            want_shut_down=want_shut_down,
            cordoned_log_dirs=self._log_dirs.cordoned_ids if is_cordoning else None,
        )

    async def _send(self, request: BrokerHeartbeatRequest, timeout_ms: float | None = None) -> BrokerHeartbeatResponse:
        response = await self._controller.send(request, timeout_ms=timeout_ms).future()
        assert isinstance(response, BrokerHeartbeatResponse)
        if response.error_code != errors.NONE:
            raise KafkaError(response.error_code)
        return response

    async def _pause(self, delay_ms: float) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._clock.call_later(delay_ms, lambda: None if over.done() else over.set_result(None))
        await over
