"""Records of the coordinators' topics: a typed key, and a typed value or none for a tombstone.

On disk a key is an int16 record type and version 0 of the key, a value an int16 version and the body in that version.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message

_INT16 = struct.Struct(">h")


class CoordinatorRecord(NamedTuple):
    """`value` None is a tombstone. `version` is the one to write the value in."""

    key: Message
    value: Message | None
    version: int = 0

    def encode_key(self) -> bytes:
        return _INT16.pack(self.key.__schema__.key) + self.key.encode(0)

    def encode_value(self) -> bytes | None:
        return None if self.value is None else _INT16.pack(self.version) + self.value.encode(self.version)


RecordTypes: TypeAlias = Mapping[int, tuple[type[Message], type[Message]]]
"""Record type -> classes of key and value."""


def record_types(pairs: Iterable[tuple[type[Message], type[Message]]]) -> RecordTypes:
    """The table of what a machine can read, from its classes of keys and values."""
    return {key.__schema__.key: (key, value) for key, value in pairs}


def decode_record(types: RecordTypes, key: bytes | None, value: bytes | None) -> CoordinatorRecord | None:
    """Read a record; None when its type is not in `types` (a later Kafka's; Kafka passes over it too).

    Raises ProtocolError when the bytes are damaged or the value's version is unknown.
    """
    if key is None or len(key) < 2:
        raise ProtocolError(f"a coordinator record with a key of {0 if key is None else len(key)} bytes")
    found = types.get(_INT16.unpack_from(key)[0])
    if found is None:
        return None
    key_class, value_class = found
    decoded_key = key_class.decode(key[2:], 0)
    if value is None:
        return CoordinatorRecord(decoded_key, None)
    if len(value) < 2:
        raise ProtocolError(f"a coordinator record with a value of {len(value)} bytes")
    version: int = _INT16.unpack_from(value)[0]
    low, high = value_class.__schema__.versions
    if not low <= version <= high:
        raise ProtocolError(f"{value_class.__name__} version {version} is not known")
    return CoordinatorRecord(decoded_key, value_class.decode(value[2:], version), version)
