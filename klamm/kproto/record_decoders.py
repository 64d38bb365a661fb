"""What a log record says, as JSON values: one decoder for each of Kafka's internal topics, and one for plain text.

The forms are those of kafka-dump-log: messages in the shape of Kafka's JSON converters, with the record type beside a
key and the version beside a value. A record that cannot be read is described (`error`), never raised.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from klamm.kproto import catalog, records
from klamm.kproto.codec_reader import read_uvarint
from klamm.kproto.errors import ProtocolError
from klamm.kproto.json_form import to_json
from klamm.kproto.records import InvalidRecord, Record
from klamm.kproto.schema import Message

_INT16: Final = struct.Struct(">h")
_FRAME_VERSION: Final = 1
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Decoded(NamedTuple):
    """Key and value as JSON values, None for null. `error`: why they could not be read."""

    key: Any = None
    value: Any = None
    error: str | None = None


Decoder = Callable[[Record], Decoded]

STRING: Final = "string"
OFFSETS: Final = "offsets"
TRANSACTION_LOG: Final = "transaction-log"
CLUSTER_METADATA: Final = "cluster-metadata"
SHARE_GROUP_STATE: Final = "share-group-state"
REMOTE_LOG_METADATA: Final = "remote-log-metadata"

_TOPICS: Final = {
    "__consumer_offsets": OFFSETS,
    "__transaction_state": TRANSACTION_LOG,
    "__cluster_metadata": CLUSTER_METADATA,
    "__share_group_state": SHARE_GROUP_STATE,
    "__remote_log_metadata": REMOTE_LOG_METADATA,
}


def decoder_of_topic(topic: str) -> str | None:
    """The decoder of an internal topic; None for a user's."""
    return _TOPICS.get(topic)


def record_decoder(name: str) -> Decoder:
    """The decoder of that name. Raises KeyError."""
    return _DECODERS[name]


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")


def _string(record: Record) -> Decoded:
    return Decoded(_text(record.key), _text(record.value))


# -- records with a typed key (coordinators) --


@cache
def _typed(modules: tuple[str, ...]) -> dict[int, tuple[type[Message], type[Message]]]:
    """Record type -> (key class, value class), of the messages in those files."""
    names = [name for module in modules for name in catalog.names_in(module) if name.endswith("Key")]
    pairs = ((catalog.message_class(n), catalog.message_class(n.removesuffix("Key") + "Value")) for n in names)
    return {key.__schema__.key: (key, value) for key, value in pairs}


def _coordinator(record: Record, modules: tuple[str, ...]) -> Decoded:
    if record.key is None:
        return Decoded(error="the record has no key")
    try:
        type_id = _int16(record.key)
        classes = _typed(modules).get(type_id)
        if classes is None:
            return Decoded(error=f"unknown record type {type_id}")
        key_class, value_class = classes
        key = key_class.decode_from(record.key, 2, 0)[0]
        shown = {"type": type_id, "name": key_class.__name__.removesuffix("Key"), "data": _json(key, 0)}
        if record.value is None:
            return Decoded(shown)
        version = _int16(record.value)
        low, high = value_class.__schema__.versions
        if not low <= version <= high:
            return Decoded(shown, error=f"{value_class.__name__} in version {version}, known are {low} to {high}")
        value = _json(value_class.decode_from(record.value, 2, version)[0], version)
    except ProtocolError as error:
        return Decoded(error=str(error))
    return Decoded(shown, {"version": version, "data": value})


def _offsets(record: Record) -> Decoded:
    decoded = _coordinator(record, ("group_records", "share_group_records", "streams_group_records"))
    if decoded.value is not None and decoded.key["name"] == "GroupMetadata":
        _open_members(decoded.value["data"], record)
    return decoded


def _open_members(group: dict[str, Any], record: Record) -> None:
    """A classic consumer group's members: subscription and assignment are messages within byte strings."""
    if group.get("protocolType") != "consumer" or record.value is None:
        return
    for member in group["members"]:
        for field, name in (
            ("subscription", "ConsumerProtocolSubscription"),
            ("assignment", "ConsumerProtocolAssignment"),
        ):
            try:
                member[field] = _embedded(name, member[field])
            except (ProtocolError, ValueError):
                continue  # as in Kafka the bytes stay as they are


def _embedded(name: str, base64: str) -> dict[str, Any]:
    data = binascii.a2b_base64(base64)
    cls, version = catalog.message_class(name), _int16(data)
    low, high = cls.__schema__.versions
    if not low <= version <= high:
        raise ProtocolError(f"{name} in version {version}")
    return _json(cls.decode_from(data, 2, version)[0], version)


def _transaction_log(record: Record) -> Decoded:
    return _coordinator(record, ("transaction_records",))


def _share_group_state(record: Record) -> Decoded:
    return _coordinator(record, ("share_state_records",))


# -- records with a framed value and no key --


@cache
def _framed(module: str) -> dict[int, type[Message]]:
    classes = (catalog.message_class(name) for name in catalog.names_in(module))
    return {cls.__schema__.key: cls for cls in classes}


def type_name(cls: type[Message]) -> str:
    """`RegisterBrokerRecord` -> `REGISTER_BROKER_RECORD`, Kafka's name of the record type."""
    return _WORD.sub("_", cls.__name__).upper()


def _frame(record: Record, module: str) -> Decoded:
    value = record.value
    if not value:
        return Decoded(error="the record has no value")
    try:
        frame, at = read_uvarint(value, 0)
        type_id, at = read_uvarint(value, at)
        version, at = read_uvarint(value, at)
        if frame != _FRAME_VERSION:
            return Decoded(error=f"unknown frame version {frame}")
        cls = _framed(module).get(type_id)
        if cls is None:
            return Decoded(error=f"unknown record type {type_id}")
        low, high = cls.__schema__.versions
        if not low <= version <= high:
            return Decoded(error=f"{cls.__name__} in version {version}, known are {low} to {high}")
        message, end = cls.decode_from(value, at, version)
        if end < len(value):
            return Decoded(error=f"{len(value) - end} bytes are left behind a {cls.__name__}")
        return Decoded(None, {"type": type_name(cls), "version": version, "data": _json(message, version)})
    except (ProtocolError, IndexError) as error:
        return Decoded(error=str(error))


def _cluster_metadata(record: Record) -> Decoded:
    return _frame(record, "metadata_records")


def _remote_log_metadata(record: Record) -> Decoded:
    return _frame(record, "remote_log_records")


# -- control records --

_CONTROL_BODIES: Final = {
    records.CONTROL_ABORT: "EndTxnMarker",
    records.CONTROL_COMMIT: "EndTxnMarker",
    records.CONTROL_LEADER_CHANGE: "LeaderChangeMessage",
    records.CONTROL_SNAPSHOT_HEADER: "SnapshotHeaderRecord",
    records.CONTROL_SNAPSHOT_FOOTER: "SnapshotFooterRecord",
    records.CONTROL_KRAFT_VERSION: "KRaftVersionRecord",
    records.CONTROL_KRAFT_VOTERS: "VotersRecord",
}


def decode_control(record: Record) -> dict[str, Any]:
    """A control record: `control_type`, and its body in `control`; or why it cannot be read in `error`."""
    try:
        type_id = records.control_type(record.key)
        shown: dict[str, Any] = {"control_type": records.control_name(type_id)}
        name = _CONTROL_BODIES.get(type_id)
        if name is None:
            return {**shown, "control_type_id": type_id}
        cls, data = catalog.message_class(name), record.value or b""
        version = _int16(data)
        # As in Kafka, a version that is not known yet is read as the latest one that is.
        version = min(max(version, 0), cls.__schema__.versions[1])
        if name == "EndTxnMarker":
            shown["control"] = _json(cls.decode_from(data, 2, version)[0], version)
        else:
            shown["control"] = _json(cls.decode_from(data, 0, version)[0], version)
        return shown
    except (ProtocolError, InvalidRecord) as error:
        return {"error": str(error)}


def _json(message: Message, version: int) -> dict[str, Any]:
    return to_json(message, version, message.__schema__.is_flexible(version))


def _int16(data: bytes) -> int:
    if len(data) < 2:
        raise ProtocolError(f"{len(data)} bytes where a version or a type was expected")
    return int(_INT16.unpack_from(data)[0])


_DECODERS: Final[dict[str, Decoder]] = {
    STRING: _string,
    OFFSETS: _offsets,
    TRANSACTION_LOG: _transaction_log,
    CLUSTER_METADATA: _cluster_metadata,
    SHARE_GROUP_STATE: _share_group_state,
    REMOTE_LOG_METADATA: _remote_log_metadata,
}
DECODER_NAMES: Final = tuple(_DECODERS)
