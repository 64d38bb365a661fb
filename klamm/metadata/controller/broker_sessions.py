"""Who of the brokers is there, and how far each has read: what the active controller knows besides the log.

It is forgotten when the leadership ends. A session is a timer of the driver, set anew by every heartbeat; that a broker
is on its way out, and up to which offset the others must have read before it may go, is only known here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from klamm.log.machine import CancelTimer, Decision, SetTimer
from klamm.metadata.image.cluster import BrokerRegistration
from klamm.metadata.image.image import MetadataImage

UNKNOWN_OFFSET = -1
"""Of a broker that has not been heard since this controller became the active one."""

Timers = Sequence[SetTimer | CancelTimer]


class SessionKey(NamedTuple):
    """The key of the timer that fences a silent broker."""

    broker_id: int


class BrokerSessions:
    """`expired(broker_id)` is the command that a session ends with."""

    def __init__(
        self,
        state: Callable[[], MetadataImage],
        expired: Callable[[int], Decision[Any, Any]],
        local_broker_id: int | None,
        session_timeout_ms: float,
    ) -> None:
        self._state = state
        self._expired = expired
        self._local_broker_id = local_broker_id
        self._session_timeout_ms = session_timeout_ms
        self._sessions: set[int] = set()
        self._metadata_offsets: dict[int, int] = {}
        self._shutdown_offsets: dict[int, int] = {}

    def needs_session(self, broker_id: int) -> bool:
        """Not so the broker in the process of the only voter, while it is the only broker: it cannot die alone."""
        others = (other for other in self._state().cluster.brokers if other != broker_id)
        return broker_id != self._local_broker_id or next(others, None) is not None

    def has_session(self, broker_id: int) -> bool:
        return broker_id in self._sessions

    def start_all(self) -> Timers:
        """A new controller has heard nobody yet: everyone who is not fenced gets a full session."""
        self._sessions.clear()
        self._metadata_offsets.clear()
        self._shutdown_offsets.clear()
        timers: list[SetTimer | CancelTimer] = []
        for broker in self._state().cluster.brokers.values():
            if not broker.fenced:
                timers += self._start(broker.broker_id)
        return timers

    def start_of_local(self) -> Timers:
        """Another broker has come: the broker of this process gets its session, if it has none."""
        local = self._local_broker_id
        broker = None if local is None else self._state().cluster.brokers.get(local)
        if broker is None or broker.fenced or self.has_session(broker.broker_id):
            return ()
        self._sessions.add(broker.broker_id)
        return (self._timer(broker.broker_id),)

    def heard(self, broker_id: int, metadata_offset: int) -> Timers:
        """A heartbeat: the broker lives, and has read the metadata log up to that offset."""
        self._metadata_offsets[broker_id] = metadata_offset
        return self._start(broker_id)

    def end(self, broker_id: int) -> Timers:
        """The broker is gone: unregistered, or told that it may stop."""
        self.forget(broker_id)
        if broker_id not in self._sessions:
            return ()
        self._sessions.discard(broker_id)
        return (CancelTimer(SessionKey(broker_id)),)

    def expire(self, broker_id: int) -> None:
        """The session's timer has come."""
        self._sessions.discard(broker_id)

    def forget(self, broker_id: int) -> None:
        """A new life begins, or the broker is fenced: how far the former one was means nothing any more."""
        self._metadata_offsets.pop(broker_id, None)
        self._shutdown_offsets.pop(broker_id, None)

    # Controlled shutdown.

    def is_shutting_down(self, broker_id: int) -> bool:
        return broker_id in self._shutdown_offsets

    def begin_shutdown(self, broker_id: int, offset: int) -> None:
        """The records that took everything from the broker end at `offset`."""
        self._shutdown_offsets.setdefault(broker_id, offset)

    def others_have_read(self, broker_id: int) -> bool:
        """Whether every active broker knows by now that this one leads nothing (Kafka: controlledShutdownOffset)."""
        offset = self._shutdown_offsets[broker_id]
        return all(
            self._metadata_offsets.get(broker.broker_id, UNKNOWN_OFFSET) >= offset
            for broker in self._state().cluster.brokers.values()
            if self._is_active(broker)
        )

    def _is_active(self, broker: BrokerRegistration) -> bool:
        return not broker.fenced and not self.is_shutting_down(broker.broker_id)

    def _start(self, broker_id: int) -> Timers:
        if not self.needs_session(broker_id):
            return ()
        self._sessions.add(broker_id)
        return (self._timer(broker_id),)

    def _timer(self, broker_id: int) -> SetTimer:
        return SetTimer(SessionKey(broker_id), self._session_timeout_ms, lambda: self._expired(broker_id))
