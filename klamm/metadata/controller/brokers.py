"""Brokers: registration, heartbeats, fencing, controlled shutdown and unregistering (KIP-631).

A broker registers fenced, catches up, and asks by heartbeat to be unfenced. One that wants to stop hands its
leaderships over first, and goes when every other broker has read that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from klamm.kproto.metadata_records import BrokerRegistrationChangeRecord, UnregisterBrokerRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.broker_registration import check_registration, registration_record
from klamm.metadata.controller.broker_sessions import BrokerSessions, SessionKey, Timers
from klamm.metadata.controller.directories import DirectoryControl
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.features import is_cordoned_log_dirs_supported
from klamm.metadata.image.cluster import BrokerRegistration
from klamm.metadata.image.image import MetadataImage

__all__ = ["BrokerControl", "SessionKey"]

FENCE, UNFENCE = 1, -1
"""Values of `fenced` in a BrokerRegistrationChangeRecord; 0 leaves it."""
IN_CONTROLLED_SHUTDOWN = 1


class _Step(Enum):
    """Where a heartbeat finds a broker, and where it leaves it."""

    FENCED = 1
    UNFENCED = 2
    CONTROLLED_SHUTDOWN = 3
    SHUTDOWN_NOW = 4


class BrokerControl:
    """Decides for all brokers.

    `local_broker_id` is the broker in the process of the quorum's only voter, None when there is no such broker. It has
    no session while it is the only broker, and an incarnation of it that is found alive in the log was killed.
    """

    def __init__(
        self,
        state: Callable[[], MetadataImage],
        next_offset: Callable[[], int],
        leadership: Leadership,
        cluster_id: str,
        local_broker_id: int | None,
        session_timeout_ms: float,
    ) -> None:
        self._state = state
        self._next_offset = next_offset
        self._leadership = leadership
        self._cluster_id = cluster_id
        self._local_broker_id = local_broker_id
        self._sessions = BrokerSessions(state, self._expire, local_broker_id, session_timeout_ms)
        self.directories = DirectoryControl(state, leadership, self.checked)

    def needs_session(self, broker_id: int) -> bool:
        """Whether the broker has to send heartbeats all the time, or is fenced."""
        return self._sessions.needs_session(broker_id)

    def register(self, request: BrokerRegistrationRequest) -> Decision[int, Message]:
        """The broker's epoch. Raises KafkaError as a real controller answers a registration it does not take.

        DUPLICATE_BROKER_REGISTRATION while the former life's session lasts. A life that did not begin where the one
        before ended (`previous_broker_epoch`) may have lost records: it leaves every ISR and ELR.
        """
        image = self._state()
        if request.cluster_id != self._cluster_id:
            message = f"Expected cluster ID {self._cluster_id}, but got cluster ID {request.cluster_id}"
            raise KafkaError(errors.INCONSISTENT_CLUSTER_ID, message)
        broker_id = request.broker_id
        existing = image.cluster.brokers.get(broker_id)
        is_same = existing is not None and existing.incarnation_id == request.incarnation_id
        if not is_same and self._sessions.has_session(broker_id):
            message = "Another broker is registered with that broker id."
            raise KafkaError(errors.DUPLICATE_BROKER_REGISTRATION, message)
        check_registration(request, image)
        if existing is not None and is_same:
            record = registration_record(request, existing.broker_epoch)
            record.fenced = existing.fenced
            record.in_controlled_shutdown = existing.in_controlled_shutdown
            return Decision(existing.broker_epoch, [record])
        epoch = self._next_offset()
        records: list[Message] = []
        if existing is not None and existing.broker_epoch == request.previous_broker_epoch:
            records += self._leadership.after_fencing(broker_id)
        else:
            records += self._leadership.after_unclean_shutdown(broker_id)
        self._sessions.forget(broker_id)
        timers = () if broker_id == self._local_broker_id else self._sessions.start_of_local()
        return Decision(epoch, [*records, registration_record(request, epoch)], timers)

    def unregister(self, request: UnregisterBrokerRequest) -> Decision[UnregisterBrokerResponse, Message]:
        """Forget a broker, whether it runs or not; its replicas stay assigned to it. BROKER_ID_NOT_REGISTERED."""
        broker = self._state().cluster.brokers.get(request.broker_id)
        if broker is None:
            message = f"Broker ID {request.broker_id} is not currently registered"
            code = errors.BROKER_ID_NOT_REGISTERED
            return Decision(UnregisterBrokerResponse(throttle_time_ms=0, error_code=code, error_message=message))
        records: list[Message] = [
            *self._leadership.after_unregistering(broker.broker_id),
            UnregisterBrokerRecord(broker_id=broker.broker_id, broker_epoch=broker.broker_epoch),
        ]
        response = UnregisterBrokerResponse(throttle_time_ms=0, error_code=errors.NONE, error_message="")
        return Decision(response, records, self._sessions.end(broker.broker_id))

    def heartbeat(self, request: BrokerHeartbeatRequest) -> Decision[BrokerHeartbeatResponse, Message]:
        """Move the broker one step towards what it wants.

        It has caught up when it has read up to its registration. Raises KafkaError STALE_BROKER_EPOCH.
        """
        broker = self.checked(request.broker_id, request.broker_epoch)
        is_caught_up = request.current_metadata_offset >= broker.broker_epoch
        before, after = self._steps(broker, request, is_caught_up)
        records: list[Message] = []
        if after is not before:
            if after is _Step.UNFENCED:
                records = self._unfence(broker)
            elif after is _Step.CONTROLLED_SHUTDOWN:
                records = self._enter_controlled_shutdown(broker)
            else:
                records = self.fence(broker.broker_id)
        timers = self._sessions.heard(broker.broker_id, request.current_metadata_offset)
        if after is _Step.SHUTDOWN_NOW:
            # A real controller lets the session run out, and keeps the next life waiting for that.
            timers = self._sessions.end(broker.broker_id)
        records += self.directories.offline(broker, request.offline_log_dirs)
        if self._is_cordoning_changed(broker, request.cordoned_log_dirs):
            records.append(_change(broker, cordoned_log_dirs=request.cordoned_log_dirs))
        if after is _Step.CONTROLLED_SHUTDOWN:
            self._sessions.begin_shutdown(broker.broker_id, self._next_offset() + len(records) - 1)
        response = BrokerHeartbeatResponse(
            throttle_time_ms=0,
            error_code=errors.NONE,
            is_caught_up=is_caught_up,
            is_fenced=after in (_Step.FENCED, _Step.SHUTDOWN_NOW),
            should_shut_down=after is _Step.SHUTDOWN_NOW,
        )
        return Decision(response, records, timers)

    def fence(self, broker_id: int) -> list[Message]:
        """Take a broker out of all ISRs, then mark it."""
        self._sessions.forget(broker_id)
        broker = self._state().cluster.brokers[broker_id]
        return [*self._leadership.after_fencing(broker_id), _change(broker, fenced=FENCE)]

    def on_leadership(self) -> Timers:
        """A new controller has heard nobody yet: everyone who is not fenced gets a session."""
        return self._sessions.start_all()

    def fence_dead_local(self) -> Decision[None, Message]:
        """Fence the in-process broker's last incarnation if the log shows it alive: it was killed."""
        local = self._state().cluster.brokers.get(self._local_broker_id) if self._local_broker_id is not None else None
        if local is None or local.fenced:
            return Decision(None)
        return Decision(None, self.fence(local.broker_id))

    def checked(self, broker_id: int, broker_epoch: int) -> BrokerRegistration:
        """The broker, if that epoch is its present one. Raises KafkaError STALE_BROKER_EPOCH."""
        broker = self._state().cluster.brokers.get(broker_id)
        if broker is None:
            raise KafkaError(errors.STALE_BROKER_EPOCH, f"No broker registration found for broker id {broker_id}")
        if broker.broker_epoch != broker_epoch:
            message = f"Expected broker epoch {broker.broker_epoch}, but got broker epoch {broker_epoch}"
            raise KafkaError(errors.STALE_BROKER_EPOCH, message)
        return broker

    def _steps(
        self, broker: BrokerRegistration, request: BrokerHeartbeatRequest, is_caught_up: bool
    ) -> tuple[_Step, _Step]:
        """Where the broker is, and where this heartbeat takes it."""
        if self._sessions.is_shutting_down(broker.broker_id):
            may_go = not self._has_leaderships(broker.broker_id) and self._sessions.others_have_read(broker.broker_id)
            return _Step.CONTROLLED_SHUTDOWN, _Step.SHUTDOWN_NOW if may_go else _Step.CONTROLLED_SHUTDOWN
        if broker.fenced:
            if request.want_shut_down:
                return _Step.FENCED, _Step.SHUTDOWN_NOW
            return _Step.FENCED, _Step.UNFENCED if is_caught_up and not request.want_fence else _Step.FENCED
        if request.want_fence:
            return _Step.UNFENCED, _Step.SHUTDOWN_NOW if request.want_shut_down else _Step.FENCED
        if request.want_shut_down:
            leads = self._has_leaderships(broker.broker_id)
            return _Step.UNFENCED, _Step.CONTROLLED_SHUTDOWN if leads else _Step.SHUTDOWN_NOW
        return _Step.UNFENCED, _Step.UNFENCED

    def _unfence(self, broker: BrokerRegistration) -> list[Message]:
        return [_change(broker, fenced=UNFENCE), *self._leadership.after_unfencing(broker.broker_id)]

    def _enter_controlled_shutdown(self, broker: BrokerRegistration) -> list[Message]:
        records: list[Message] = []
        if not broker.in_controlled_shutdown:
            records.append(_change(broker, in_controlled_shutdown=IN_CONTROLLED_SHUTDOWN))
        return [*records, *self._leadership.after_fencing(broker.broker_id)]

    def _is_cordoning_changed(self, broker: BrokerRegistration, cordoned: Sequence[bytes] | None) -> bool:
        if cordoned is None or not is_cordoned_log_dirs_supported(self._state().metadata_version):
            return False
        return broker.cordoned_log_dirs is None or broker.cordoned_log_dirs != tuple(cordoned)

    def _has_leaderships(self, broker_id: int) -> bool:
        return any(
            partition.leader == broker_id
            for topic in self._state().topics.by_id.values()
            for partition in topic.partitions.values()
        )

    def _expire(self, broker_id: int) -> Decision[None, Message]:
        self._sessions.expire(broker_id)
        broker = self._state().cluster.brokers.get(broker_id)
        # One that is fenced already is fenced again: so does a real controller.
        return Decision(None, [] if broker is None else self.fence(broker_id))


def _change(broker: BrokerRegistration, **what: object) -> BrokerRegistrationChangeRecord:
    return BrokerRegistrationChangeRecord(
        broker_id=broker.broker_id,
        broker_epoch=broker.broker_epoch,
        **what,  # type: ignore[arg-type]
    )
