"""Brokers: registration, heartbeats, fencing and controlled shutdown (KIP-631).

A broker registers fenced, catches up, and asks by heartbeat to be unfenced. Whether it is still there is not state of
the log: each heartbeat sets a timer that fences it, and a new controller gives everyone a full session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.metadata_records import BrokerRegistrationChangeRecord, RegisterBrokerRecord
from klamm.kproto.schema import Message
from klamm.kproto.uuids import LOST_DIR, MIGRATING_DIR, UNASSIGNED_DIR, uuid_text
from klamm.log.machine import CancelTimer, Decision, SetTimer
from klamm.metadata.controller.directories import DirectoryControl
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.features import METADATA_VERSION, METADATA_VERSION_MIN, is_cordoned_log_dirs_supported
from klamm.metadata.image.cluster import BrokerRegistration
from klamm.metadata.image.image import MetadataImage

FENCE, UNFENCE = 1, -1
"""Values of `fenced` in a BrokerRegistrationChangeRecord; 0 leaves it."""
IN_CONTROLLED_SHUTDOWN = 1
_RESERVED_DIRS = (MIGRATING_DIR, UNASSIGNED_DIR, LOST_DIR)

Timers = Sequence[SetTimer | CancelTimer]


class SessionKey(NamedTuple):
    """The key of the timer that fences a silent broker."""

    broker_id: int


class BrokerControl:
    """Decides for all brokers. `local_broker_id` is the one in the same process, which has no session:

    it cannot die alone, and an incarnation found alive in the log is one that was killed.
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
        self._session_timeout_ms = session_timeout_ms
        self._sessions: set[int] = set()
        self.directories = DirectoryControl(state, leadership, self.checked)

    def register(self, request: BrokerRegistrationRequest) -> Decision[int, Message]:
        """The broker's epoch. Raises KafkaError as a real controller answers a registration it does not take."""
        image = self._state()
        if request.cluster_id != self._cluster_id:
            message = f"Expected cluster ID {self._cluster_id}, but got cluster ID {request.cluster_id}"
            raise KafkaError(errors.INCONSISTENT_CLUSTER_ID, message)
        existing = image.cluster.brokers.get(request.broker_id)
        is_same = existing is not None and existing.incarnation_id == request.incarnation_id
        if existing is not None and not is_same and request.broker_id in self._sessions:
            message = "Another broker is registered with that broker id."
            raise KafkaError(errors.DUPLICATE_BROKER_REGISTRATION, message)
        if request.is_migrating_zk_broker:
            message = "Controller does not support registering ZK brokers."
            raise KafkaError(errors.BROKER_ID_NOT_REGISTERED, message)
        self._check_directories(request)
        _check_features(request, image)
        records: list[Message] = []
        epoch = self._next_offset()
        if existing is not None and is_same:
            epoch = existing.broker_epoch
        elif existing is not None and existing.broker_epoch == request.previous_broker_epoch:
            records += self._leadership.after_fencing(request.broker_id)
        else:
            records += self._leadership.after_unclean_shutdown(request.broker_id)
        record = _registration(request, epoch)
        if existing is not None and is_same:
            record.fenced = existing.fenced
            record.in_controlled_shutdown = existing.in_controlled_shutdown
        return Decision(epoch, [*records, record], self._touch(request.broker_id))

    def heartbeat(self, request: BrokerHeartbeatRequest) -> Decision[BrokerHeartbeatResponse, Message]:
        """Move the broker one step towards what it wants.

        It has caught up when it has read up to its registration. Raises KafkaError BROKER_ID_NOT_REGISTERED,
        STALE_BROKER_EPOCH.
        """
        broker = self.checked(request.broker_id, request.broker_epoch)
        is_caught_up = request.current_metadata_offset >= broker.broker_epoch
        records: list[Message] = []
        is_fenced, should_shut_down = broker.fenced, False
        if broker.fenced:
            should_shut_down = request.want_shut_down
            if not should_shut_down and not request.want_fence and is_caught_up:
                is_fenced = False
                records = self._unfence(broker)
        elif request.want_fence or (request.want_shut_down and not self._has_leaderships(broker.broker_id)):
            is_fenced, should_shut_down = True, request.want_shut_down
            records = self.fence(broker.broker_id)
        elif request.want_shut_down and not broker.in_controlled_shutdown:
            records = self._enter_controlled_shutdown(broker)
        records += self.directories.offline(broker, request.offline_log_dirs)
        if self._is_cordoning_changed(broker, request.cordoned_log_dirs):
            records.append(_change(broker, cordoned_log_dirs=request.cordoned_log_dirs))
        response = BrokerHeartbeatResponse(
            throttle_time_ms=0,
            error_code=errors.NONE,
            is_caught_up=is_caught_up,
            is_fenced=is_fenced,
            should_shut_down=should_shut_down,
        )
        return Decision(response, records, self._touch(broker.broker_id))

    def fence(self, broker_id: int) -> list[Message]:
        """Take a broker out of all ISRs, then mark it."""
        broker = self._state().cluster.brokers[broker_id]
        return [*self._leadership.after_fencing(broker_id), _change(broker, fenced=FENCE)]

    def on_leadership(self) -> Timers:
        """A new controller has seen nobody yet: everyone who is not fenced gets a session."""
        timers: list[SetTimer | CancelTimer] = []
        for broker in self._state().cluster.brokers.values():
            if not broker.fenced:
                timers += self._touch(broker.broker_id)
        return timers

    def fence_dead_local(self) -> Decision[None, Message]:
        """Fence the in-process broker's last incarnation if the log shows it alive: it was killed."""
        local = self._state().cluster.brokers.get(self._local_broker_id) if self._local_broker_id is not None else None
        if local is None or local.fenced:
            return Decision(None)
        return Decision(None, self.fence(local.broker_id))

    def checked(self, broker_id: int, broker_epoch: int) -> BrokerRegistration:
        """The broker, if that epoch is its present one. Raises KafkaError."""
        broker = self._state().cluster.brokers.get(broker_id)
        if broker is None:
            message = f"No broker registration found for broker id {broker_id}"
            raise KafkaError(errors.BROKER_ID_NOT_REGISTERED, message)
        if broker.broker_epoch != broker_epoch:
            message = f"Expected broker epoch {broker.broker_epoch}, but got broker epoch {broker_epoch}"
            raise KafkaError(errors.STALE_BROKER_EPOCH, message)
        return broker

    def _unfence(self, broker: BrokerRegistration) -> list[Message]:
        return [_change(broker, fenced=UNFENCE), *self._leadership.after_unfencing(broker.broker_id)]

    def _enter_controlled_shutdown(self, broker: BrokerRegistration) -> list[Message]:
        return [
            _change(broker, in_controlled_shutdown=IN_CONTROLLED_SHUTDOWN),
            *self._leadership.after_fencing(broker.broker_id),
        ]

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

    def _touch(self, broker_id: int) -> Timers:
        if broker_id == self._local_broker_id:
            return ()
        self._sessions.add(broker_id)
        return (SetTimer(SessionKey(broker_id), self._session_timeout_ms, lambda: self._expire(broker_id)),)

    def _expire(self, broker_id: int) -> Decision[None, Message]:
        self._sessions.discard(broker_id)
        broker = self._state().cluster.brokers.get(broker_id)
        return Decision(None, [] if broker is None or broker.fenced else self.fence(broker_id))

    def _check_directories(self, request: BrokerRegistrationRequest) -> None:
        if not request.log_dirs:
            raise _invalid("No directories specified in request")
        if any(directory in _RESERVED_DIRS for directory in request.log_dirs):
            raise _invalid("Reserved directory ID in request")
        if len(set(request.log_dirs)) != len(request.log_dirs):
            raise _invalid("Duplicate directory ID in request")
        for broker in self._state().cluster.brokers.values():
            if broker.broker_id == request.broker_id:
                continue
            for directory in request.log_dirs:
                if directory in broker.log_dirs:
                    message = f"Broker {broker.broker_id} is already registered with directory {uuid_text(directory)}"
                    raise _invalid(message)


def _registration(request: BrokerRegistrationRequest, broker_epoch: int) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=request.broker_id,
        incarnation_id=request.incarnation_id,
        broker_epoch=broker_epoch,
        end_points=[
            RegisterBrokerRecord.BrokerEndpoint(
                name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol
            )
            for e in request.listeners
        ],
        features=[
            RegisterBrokerRecord.BrokerFeature(
                name=f.name,
                min_supported_version=f.min_supported_version,
                max_supported_version=f.max_supported_version,
            )
            for f in request.features
        ],
        rack=request.rack,
        log_dirs=list(request.log_dirs),
    )


def _check_features(request: BrokerRegistrationRequest, image: MetadataImage) -> None:
    """Every finalized level must lie within what the broker offers; what it does not name counts as 0 to 0."""
    offered = {f.name: (f.min_supported_version, f.max_supported_version) for f in request.features}
    if METADATA_VERSION not in offered:
        offered[METADATA_VERSION] = (METADATA_VERSION_MIN, METADATA_VERSION_MIN)
    for name, level in image.features.items():
        low, high = offered.get(name, (0, 0))
        if not low <= level <= high:
            raise KafkaError(
                errors.UNSUPPORTED_VERSION,
                f"Unable to register because the broker does not support finalized version {level} of {name}. "
                f"The broker wants a version between {low} and {high}, inclusive.",
            )


def _change(broker: BrokerRegistration, **what: object) -> BrokerRegistrationChangeRecord:
    return BrokerRegistrationChangeRecord(
        broker_id=broker.broker_id,
        broker_epoch=broker.broker_epoch,
        **what,  # type: ignore[arg-type]
    )


def _invalid(message: str) -> KafkaError:
    return KafkaError(errors.INVALID_REGISTRATION, message)
