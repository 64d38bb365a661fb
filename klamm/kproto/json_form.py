"""Messages as JSON, in the form that Kafka's own JSON converters write.

Field names begin with a lower-case letter; fields that the version lacks are left out, and so are tagged fields that
hold their default. Byte strings (and `records`) are base64, UUIDs their text form. Unknown tagged fields, which that
form has no place for, travel beside it as {"path", "tag", "hex"}. For people, tests and traces; not for the hot path.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import PRIMITIVES, Field, Message, Struct
from klamm.kproto.uuids import uuid_bytes, uuid_text

INTEGERS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
UNSIGNED = {"uint16": 16, "uint32": 32}


def json_name(name: str) -> str:
    """`topic_id` -> `topicId`."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def to_json(struct: Struct, version: int, flexible: bool) -> dict[str, Any]:
    """The JSON form of a message or of a struct in it."""
    out: dict[str, Any] = {}
    for field in struct.__schema__.fields:
        value = getattr(struct, field.name)
        tagged = flexible and field.tagged_in(version)
        if not tagged and not field.exists_in(version):
            if not field.ignorable and value != field.new_default():
                raise ProtocolError(f"{field.name} has a value, but version {version} has no place for it")
        elif not tagged or value != field.new_default():
            out[json_name(field.name)] = _value_to_json(field, value, version, flexible)
    return out


def _value_to_json(field: Field, value: Any, version: int, flexible: bool) -> Any:
    if value is None:
        if not field.nullable_in(version):
            raise ProtocolError(f"{field.name} is null, which it may not be")
        return None
    if field.array:
        return [_element_to_json(field, item, version, flexible) for item in value]
    return _element_to_json(field, value, version, flexible)


def _element_to_json(field: Field, value: Any, version: int, flexible: bool) -> Any:
    if field.struct is not None:
        return to_json(value, version, flexible)
    if field.type in ("bytes", "RecordBytes"):
        return base64.b64encode(value).decode()
    if field.type == "uuid":
        return uuid_text(value)
    return value


def from_json(cls: type[Struct], form: Any, version: int, flexible: bool) -> Any:
    """The message (or struct) of a JSON form. Raises ProtocolError, naming the field that is wrong."""
    if not isinstance(form, dict):
        raise ProtocolError(f"{cls.__name__}: an object was expected, not {form!r:.40}")
    values: dict[str, Any] = {}
    for field in cls.__schema__.fields:
        name = json_name(field.name)
        tagged = flexible and field.tagged_in(version)
        if name in form and (tagged or field.exists_in(version)):
            values[field.name] = _value_from_json(field, form[name], version, flexible)
        elif field.exists_in(version) and not tagged:
            raise ProtocolError(f"{cls.__name__}: the field {name} is missing, which version {version} needs")
    return cls(**values)


def _value_from_json(field: Field, form: Any, version: int, flexible: bool) -> Any:
    if form is None:
        if not field.nullable_in(version):
            raise ProtocolError(f"{field.name} is null, which it may not be")
        return None
    if field.array:
        if not isinstance(form, list):
            raise ProtocolError(f"{field.name}: an array was expected, not {form!r:.40}")
        return [_element_from_json(field, item, version, flexible) for item in form]
    return _element_from_json(field, form, version, flexible)


def _element_from_json(field: Field, form: Any, version: int, flexible: bool) -> Any:
    if field.struct is not None:
        return from_json(field.struct, form, version, flexible)
    kind = field.type
    try:
        if kind in INTEGERS:
            return _integer(form, -(1 << INTEGERS[kind] - 1), (1 << INTEGERS[kind] - 1) - 1)
        if kind in UNSIGNED:
            return _integer(form, 0, (1 << UNSIGNED[kind]) - 1)
        if kind == "float64":
            return float(form)
        if kind == "uuid":
            return uuid_bytes(form)
        if kind in ("bytes", "RecordBytes"):
            return base64.b64decode(form, validate=True)
    except (ValueError, TypeError, binascii.Error) as error:
        raise ProtocolError(f"{field.name}: {error}") from None
    if not isinstance(form, type(PRIMITIVES[kind])):
        raise ProtocolError(f"{field.name}: a {kind} was expected, not {form!r:.40}")
    return form


def _integer(form: Any, low: int, high: int) -> int:
    if not isinstance(form, int) or isinstance(form, bool) or not low <= form <= high:
        raise ValueError(f"an integer from {low} to {high} was expected, not {form!r:.40}")
    return form


def unknown_tags(struct: Struct) -> list[dict[str, Any]]:
    """Every unknown tagged field below `struct`, with the path of the struct that bears it."""
    found: list[dict[str, Any]] = []
    _collect_tags(struct, [], found)
    return found


def _collect_tags(struct: Struct, path: list[str | int], found: list[dict[str, Any]]) -> None:
    for tag, data in struct.unknown_tagged_fields or ():
        found.append({"path": path, "tag": tag, "hex": data.hex()})
    for field in struct.__schema__.fields:
        value = getattr(struct, field.name)
        if field.struct is None or value is None:
            continue
        name = json_name(field.name)
        if field.array:
            for i, item in enumerate(value):
                _collect_tags(item, [*path, name, i], found)
        else:
            _collect_tags(value, [*path, name], found)


def add_unknown_tags(message: Message, tags: list[dict[str, Any]]) -> None:
    """Put unknown tagged fields, in the form that `unknown_tags` gives, back into a message."""
    for entry in tags:
        target: Any = message
        for step in entry["path"]:
            target = target[step] if isinstance(step, int) else getattr(target, _field_of(target, step))
        if target.unknown_tagged_fields is None:
            target.unknown_tagged_fields = []
        target.unknown_tagged_fields.append((entry["tag"], bytes.fromhex(entry["hex"])))


def _field_of(struct: Struct, name: str) -> str:
    for field in struct.__schema__.fields:
        if json_name(field.name) == name:
            return field.name
    raise ProtocolError(f"{type(struct).__name__} has no field {name}")
