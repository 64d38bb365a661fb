"""Brokers and controllers as they registered themselves; immutable values, merged from records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from klamm.kproto.errors import ProtocolError
from klamm.kproto.metadata_records import (
    BrokerRegistrationChangeRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
)
from klamm.kproto.uuids import LOST_DIR, MIGRATING_DIR, UNASSIGNED_DIR


class Endpoint(NamedTuple):
    """Where a node listens. `security_protocol`: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL."""

    name: str
    host: str
    port: int
    security_protocol: int = 0


class VersionRange(NamedTuple):
    """The levels of one feature that a node supports, both ends included."""

    min_version: int
    max_version: int


class BrokerRegistration(NamedTuple):
    """One broker. `broker_epoch` is the offset of its registration; `listeners` and `features` are by name."""

    broker_id: int
    broker_epoch: int
    incarnation_id: bytes
    listeners: Mapping[str, Endpoint]
    features: Mapping[str, VersionRange]
    rack: str | None
    fenced: bool
    in_controlled_shutdown: bool
    log_dirs: tuple[bytes, ...]
    cordoned_log_dirs: tuple[bytes, ...] | None = None
    """Directories that take no new replicas (KIP-1066); None until the broker has told."""

    @property
    def is_active(self) -> bool:
        """Whether it may lead partitions: neither fenced nor shutting down."""
        return not self.fenced and not self.in_controlled_shutdown

    def default_directory(self) -> bytes:
        """The directory of a new replica as far as the controller can tell: the only one, if there is but one."""
        if not self.log_dirs:
            return MIGRATING_DIR
        return self.log_dirs[0] if len(self.log_dirs) == 1 else UNASSIGNED_DIR

    @property
    def takes_replicas(self) -> bool:
        """Whether a new replica may go here: also while the broker is away, however it went."""
        cordoned = self.log_dirs and self.cordoned_log_dirs and set(self.log_dirs) <= set(self.cordoned_log_dirs)
        is_stopping = self.in_controlled_shutdown and not self.fenced
        return not is_stopping and not cordoned

    def has_online_directory(self, directory: bytes) -> bool:
        """Whether a replica in `directory` can be online: the reserved ids count as unknown, hence as online."""
        if directory == LOST_DIR:
            return False
        return not self.log_dirs or directory in (UNASSIGNED_DIR, MIGRATING_DIR) or directory in self.log_dirs

    def merge(self, change: BrokerRegistrationChangeRecord) -> BrokerRegistration:
        """The registration after `change`. Raises ProtocolError for another incarnation's epoch."""
        if change.broker_epoch != self.broker_epoch:
            raise ProtocolError(
                f"a change of broker {self.broker_id} at epoch {change.broker_epoch}, registered is {self.broker_epoch}"
            )
        return self._replace(
            fenced=self.fenced if change.fenced == 0 else change.fenced > 0,
            in_controlled_shutdown=self.in_controlled_shutdown or change.in_controlled_shutdown > 0,
            log_dirs=tuple(change.log_dirs) or self.log_dirs,
            cordoned_log_dirs=(
                self.cordoned_log_dirs if change.cordoned_log_dirs is None else tuple(change.cordoned_log_dirs)
            ),
        )

    def to_record(self) -> RegisterBrokerRecord:
        return RegisterBrokerRecord(
            broker_id=self.broker_id,
            incarnation_id=self.incarnation_id,
            broker_epoch=self.broker_epoch,
            end_points=[
                RegisterBrokerRecord.BrokerEndpoint(
                    name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol
                )
                for e in self.listeners.values()
            ],
            features=[
                RegisterBrokerRecord.BrokerFeature(
                    name=name, min_supported_version=r.min_version, max_supported_version=r.max_version
                )
                for name, r in self.features.items()
            ],
            rack=self.rack,
            fenced=self.fenced,
            in_controlled_shutdown=self.in_controlled_shutdown,
            log_dirs=list(self.log_dirs),
            cordoned_log_dirs=None if self.cordoned_log_dirs is None else list(self.cordoned_log_dirs),
        )


def broker_from_record(record: RegisterBrokerRecord) -> BrokerRegistration:
    return BrokerRegistration(
        record.broker_id,
        record.broker_epoch,
        record.incarnation_id,
        {e.name: Endpoint(e.name, e.host, e.port, e.security_protocol) for e in record.end_points},
        {f.name: VersionRange(f.min_supported_version, f.max_supported_version) for f in record.features},
        record.rack,
        record.fenced,
        record.in_controlled_shutdown,
        tuple(record.log_dirs),
        None if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs),
    )


class ControllerRegistration(NamedTuple):
    """One controller (KIP-919)."""

    controller_id: int
    incarnation_id: bytes
    listeners: Mapping[str, Endpoint]
    features: Mapping[str, VersionRange]

    def to_record(self) -> RegisterControllerRecord:
        return RegisterControllerRecord(
            controller_id=self.controller_id,
            incarnation_id=self.incarnation_id,
            zk_migration_ready=False,
            end_points=[
                RegisterControllerRecord.ControllerEndpoint(
                    name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol
                )
                for e in self.listeners.values()
            ],
            features=[
                RegisterControllerRecord.ControllerFeature(
                    name=name, min_supported_version=r.min_version, max_supported_version=r.max_version
                )
                for name, r in self.features.items()
            ],
        )


def controller_from_record(record: RegisterControllerRecord) -> ControllerRegistration:
    return ControllerRegistration(
        record.controller_id,
        record.incarnation_id,
        {e.name: Endpoint(e.name, e.host, e.port, e.security_protocol) for e in record.end_points},
        {f.name: VersionRange(f.min_supported_version, f.max_supported_version) for f in record.features},
    )


class ClusterImage(NamedTuple):
    """All registered brokers and controllers by id; not to be changed."""

    brokers: Mapping[int, BrokerRegistration]
    controllers: Mapping[int, ControllerRegistration]

    def is_active(self, broker_id: int) -> bool:
        broker = self.brokers.get(broker_id)
        return broker is not None and broker.is_active
