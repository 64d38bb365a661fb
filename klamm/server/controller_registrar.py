"""Every controller of a quorum of several tells the active one where it listens and what it supports (KIP-919)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.controller_registration import ControllerRegistrationRequest

if TYPE_CHECKING:
    from klamm.metadata.image.image import MetadataDelta, MetadataImage
    from klamm.metadata.node_metadata import MetadataNode
    from klamm.seams import Clock, Timer
    from klamm.server.to_controller import ToController

_logger = logging.getLogger(__name__)

_RETRY_MS: Final = 1000.0


class ControllerRegistrar:
    """Registers this node's controller until the metadata says so. The active one has registered itself."""

    def __init__(self, metadata: MetadataNode, controller: ToController, clock: Clock) -> None:
        self._metadata = metadata
        self._controller = controller
        self._clock = clock
        self._timer: Timer | None = None
        self._is_sending = self._is_closed = False
        metadata.add_publisher(self._published)
        metadata.on_leader(self._look)
        self._look()

    def close(self) -> None:
        """Tell nothing more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _published(self, delta: MetadataDelta, image: MetadataImage) -> None:
        if delta.controllers is not None or delta.features is not None:
            self._look()

    def _look(self) -> None:
        """Register, if a leader is known whose metadata does not have this controller yet."""
        metadata = self._metadata
        own = metadata.own_registration()
        if self._is_closed or self._is_sending or metadata.is_active or metadata.controller_id < 0:
            return
        if not metadata.image.features or metadata.image.cluster.controllers.get(own.controller_id) == own:
            return
        self._is_sending = True
        row = ControllerRegistrationRequest
        request = row(
            controller_id=own.controller_id,
            incarnation_id=own.incarnation_id,
            zk_migration_ready=False,
            listeners=[
                row.Listener(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
                for e in own.listeners.values()
            ],
            features=[
                row.Feature(name=name, min_supported_version=r.min_version, max_supported_version=r.max_version)
                for name, r in own.features.items()
            ],
        )
        self._controller.send(request).then(self._answered)

    def _answered(self, answer: Any) -> None:
        self._is_sending = False
        code = answer.code if isinstance(answer, KafkaError) else getattr(answer, "error_code", errors.NONE)
        if code != errors.NONE and not self._is_closed:
            _logger.warning("the active controller does not register this one: %s", errors.name_of(code))
        if not self._is_closed:
            self._timer = self._clock.call_later(_RETRY_MS, self._look)
