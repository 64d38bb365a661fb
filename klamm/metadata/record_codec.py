"""Metadata records as log records' values: three unsigned varints (frame version 1, type, version), then the body.

Reading takes every version of every type; the version to write follows from the finalized metadata.version.
"""

from __future__ import annotations

from collections.abc import Iterable

from klamm.kproto import metadata_records as m
from klamm.kproto import records
from klamm.kproto.codec_reader import read_uvarint
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message

FRAME_VERSION = 1

TYPES: dict[int, type[Message]] = {
    cls.__schema__.key: cls
    for cls in (
        m.RegisterBrokerRecord,
        m.UnregisterBrokerRecord,
        m.TopicRecord,
        m.PartitionRecord,
        m.ConfigRecord,
        m.PartitionChangeRecord,
        m.FenceBrokerRecord,
        m.UnfenceBrokerRecord,
        m.RemoveTopicRecord,
        m.DelegationTokenRecord,
        m.UserScramCredentialRecord,
        m.FeatureLevelRecord,
        m.ClientQuotaRecord,
        m.ProducerIdsRecord,
        m.BrokerRegistrationChangeRecord,
        m.AccessControlEntryRecord,
        m.RemoveAccessControlEntryRecord,
        m.NoOpRecord,
        m.ZkMigrationStateRecord,
        m.RemoveUserScramCredentialRecord,
        m.BeginTransactionRecord,
        m.EndTransactionRecord,
        m.AbortTransactionRecord,
        m.RemoveDelegationTokenRecord,
        m.RegisterControllerRecord,
        m.ClearElrRecord,
    )
}
"""Record type id -> class."""


_PARTITION = ((23, 2), (17, 1))
VERSIONS: dict[type[Message], tuple[tuple[int, int], ...]] = {
    m.RegisterBrokerRecord: ((30, 4), (17, 3), (8, 2), (7, 1)),
    m.PartitionRecord: _PARTITION,
    m.PartitionChangeRecord: _PARTITION,
}
"""Record type -> (metadata.version from which on, version that is written), newest first. Below that, and for all other
types, it is version 0, but for BrokerRegistrationChangeRecord."""


def record_version(record: Message, metadata_version: int) -> int:
    """The version in which a controller at feature level `metadata_version` writes `record`."""
    if type(record) is m.BrokerRegistrationChangeRecord:
        return _registration_change_version(record)
    for since, version in VERSIONS.get(type(record), ()):
        if metadata_version >= since:
            return version
    return 0


def _registration_change_version(record: m.BrokerRegistrationChangeRecord) -> int:
    """The lowest version that carries the fields which are set, as Kafka chooses it."""
    if record.cordoned_log_dirs is not None:
        return 3
    if record.log_dirs:
        return 2
    return 1 if record.in_controlled_shutdown else 0


def encode_record(record: Message, version: int) -> bytes:
    """The framed value of one log record."""
    # Frame version, types (up to 28) and versions are all below 128: one byte each.
    parts: list[bytes | bytearray | memoryview] = [bytes((FRAME_VERSION, record.__schema__.key, version))]
    record.encode_to(parts, version)
    return b"".join(parts)


def decode_record(value: bytes | None) -> tuple[Message, int]:
    """(record, its version). Raises ProtocolError for a frame, type or version that Kafka 4.3 does not know."""
    if not value:
        raise ProtocolError("a metadata record without a value")
    try:
        frame, type_id, version = value[:3]
        at = 3
        if frame | type_id | version > 127:  # longer forms, which nothing writes so far
            frame, at = read_uvarint(value, 0)
            type_id, at = read_uvarint(value, at)
            version, at = read_uvarint(value, at)
    except (IndexError, ValueError):
        raise ProtocolError(f"a metadata record of {len(value)} bytes ends within its frame") from None
    if frame != FRAME_VERSION:
        raise ProtocolError(f"a metadata record in frame version {frame}")
    cls = TYPES.get(type_id)
    if cls is None:
        raise ProtocolError(f"a metadata record of unknown type {type_id}")
    low, high = cls.__schema__.versions
    if not low <= version <= high:
        raise ProtocolError(f"{cls.__name__} in version {version}, known are {low} to {high}")
    return cls.decode_from(value, at, version)[0], version


def data_batch(
    messages: Iterable[Message], metadata_version: int, *, base_offset: int, leader_epoch: int, timestamp_ms: int
) -> bytes:
    """One batch of metadata records, as the leader appends it."""
    rows = [
        records.Record(
            base_offset + i, timestamp_ms, None, encode_record(message, record_version(message, metadata_version))
        )
        for i, message in enumerate(messages)
    ]
    return records.build_batch(rows, partition_leader_epoch=leader_epoch)


def control_batch(
    messages: Iterable[tuple[int, Message]], *, base_offset: int, leader_epoch: int, timestamp_ms: int
) -> bytes:
    """One batch of control records, given as (control type id, body)."""
    rows = [
        records.Record(base_offset + i, timestamp_ms, records.control_key(type_id), message.encode(0))
        for i, (type_id, message) in enumerate(messages)
    ]
    return records.build_batch(rows, control=True, partition_leader_epoch=leader_epoch)
