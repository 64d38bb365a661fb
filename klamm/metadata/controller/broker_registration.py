"""What a controller takes into the cluster: the checks of a broker's registration, and its record."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.metadata_records import RegisterBrokerRecord
from klamm.kproto.uuids import uuid_text
from klamm.metadata.features import METADATA_VERSION
from klamm.metadata.image.image import MetadataImage

_RESERVED_DIRS = 100
"""So many ids, from the one of zeros on, stand for states of a replica and for no directory (KIP-858)."""


def check_registration(request: BrokerRegistrationRequest, image: MetadataImage) -> None:
    """Raises KafkaError BROKER_ID_NOT_REGISTERED, INVALID_REGISTRATION, UNSUPPORTED_VERSION, in Kafka's order."""
    if request.is_migrating_zk_broker:
        raise KafkaError(errors.BROKER_ID_NOT_REGISTERED, "Controller does not support registering ZK brokers.")
    _check_directories(request, image)
    _check_features(request, image)


def registration_record(request: BrokerRegistrationRequest, broker_epoch: int) -> RegisterBrokerRecord:
    """The broker, fenced."""
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


def _check_directories(request: BrokerRegistrationRequest, image: MetadataImage) -> None:
    if not request.log_dirs:
        raise _invalid("No directories specified in request")
    if any(int.from_bytes(directory, "big") < _RESERVED_DIRS for directory in request.log_dirs):
        raise _invalid("Reserved directory ID in request")
    if len(set(request.log_dirs)) != len(request.log_dirs):
        raise _invalid("Duplicate directory ID in request")
    for broker in image.cluster.brokers.values():
        if broker.broker_id == request.broker_id:
            continue
        for directory in request.log_dirs:
            if directory in broker.log_dirs:
                raise _invalid(f"Broker {broker.broker_id} is already registered with directory {uuid_text(directory)}")


def _check_features(request: BrokerRegistrationRequest, image: MetadataImage) -> None:
    """Every finalized level must lie within what the broker offers; what it does not name counts as 0 to 0.

    A feature that the cluster does not know is at level 0, so that a broker that needs more of it is refused.
    """
    offered = {f.name: (f.min_supported_version, f.max_supported_version) for f in request.features}
    for name, (low, high) in offered.items():
        _check_level(name, image.features.get(name, 0), low, high)
    if METADATA_VERSION not in offered:
        raise _invalid("Request features do not contain 'metadata.version'")
    for name, level in image.features.items():
        if name not in offered:
            _check_level(name, level, 0, 0)


def _check_level(name: str, level: int, low: int, high: int) -> None:
    if not low <= level <= high:
        raise KafkaError(
            errors.UNSUPPORTED_VERSION,
            f"Unable to register because the broker does not support finalized version {level} of {name}. "
            f"The broker wants a version between {low} and {high}, inclusive.",
        )


def _invalid(message: str) -> KafkaError:
    return KafkaError(errors.INVALID_REGISTRATION, message)
