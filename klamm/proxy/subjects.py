"""What a message is about, in short: topics with partitions, groups, members, and every error code in it.

Goes by the names that Kafka's schemas give their fields, so that it holds for all messages alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from klamm.kproto import errors
from klamm.kproto.schema import ZERO_UUID, Field, Message, Struct
from klamm.kproto.uuids import uuid_text

_TOPIC_FIELDS: Final = ("topic", "topic_name")
_PARTITION_FIELDS: Final = ("partition_index", "partition", "index", "partition_id")
_PARTITION_LISTS: Final = ("partitions", "partition_indexes", "partitions_with_error")
_NAMED: Final = ("group_id", "transactional_id", "key", "member_id", "resource_name", "node_id", "user")
ERROR_FIELDS: Final = ("error_code", "partition_error_code", "acknowledge_error_code", "topic_config_error_code")
_NOTABLE: Final = (
    "acks", "max_wait_ms", "session_id", "session_epoch", "generation_id", "member_epoch", "member_id", "leader",
    "group_instance_id", "protocol_name", "producer_id", "producer_epoch", "mechanism", "controller_id",
)  # fmt: skip
_NOTABLE_LENGTH_MAX: Final = 48


class ErrorFound(NamedTuple):
    """An error code other than 0, and what it is about ("" for the whole request)."""

    name: str
    where: str
    message: str | None


class TopicNames:
    """Topic id -> name, as Metadata answers tell."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def learn(self, message: Message) -> None:
        """Note the topics of an answer that has names and ids."""
        for topic in getattr(message, "topics", None) or ():
            topic_id, name = getattr(topic, "topic_id", ZERO_UUID), getattr(topic, "name", None)
            if name and topic_id != ZERO_UUID:
                self._names[bytes(topic_id)] = name

    def name(self, topic_id: bytes) -> str:
        """The name, or the id in its text form while nobody has told it."""
        return self._names.get(bytes(topic_id)) or uuid_text(topic_id)


class Subjects:
    """`topics`: name -> partitions; `groups`: ids of groups; `facts`: further values worth a look, in words."""

    def __init__(self) -> None:
        self.topics: dict[str, list[int]] = {}
        self.groups: list[str] = []
        self.facts: list[str] = []
        self.records_bytes = 0


def subjects(message: Message, names: TopicNames) -> Subjects:
    """What a request or answer is about."""
    found = Subjects()
    for field in message.__schema__.fields:
        value = getattr(message, field.name)
        if field.name in _NOTABLE and value not in (None, "", -1, 0):
            found.facts.append(f"{field.name} {_short(value)}")
    _walk(message, "", None, names, found)
    for name in ("brokers", "members"):
        listed = getattr(message, name, None)
        if listed:
            found.facts.append(f"{len(listed)} {name if len(listed) != 1 else name[:-1]}")
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _NOTABLE_LENGTH_MAX else f"{text[:_NOTABLE_LENGTH_MAX]}…"


def _walk(struct: Struct, held_in: str, topic: str | None, names: TopicNames, found: Subjects) -> None:
    own = topic_of(struct, held_in, names)
    if own is not None:
        topic = own
        found.topics.setdefault(topic, [])
    if topic is not None:
        found.topics[topic] += _partitions_of(struct, held_in, own is not None)
    for field in struct.__schema__.fields:
        value = getattr(struct, field.name)
        if value is None:
            continue
        if field.type == "RecordBytes":
            found.records_bytes += len(value)
        elif field.struct is not None:
            for item in value if field.array else [value]:
                _walk(item, field.name, topic, names, found)
        else:
            _named(struct, field, value, found)


def _named(struct: Struct, field: Field, value: Any, found: Subjects) -> None:
    if field.name == "group_id" and value:
        found.groups.append(value)
    elif field.array and field.type == "string" and value:
        if field.name in ("groups", "groups_names"):
            found.groups += value
        elif field.name in ("topic_names", "topics"):
            found.topics.update({name: [] for name in value})
        elif field.name in ("coordinator_keys", "transactional_ids"):
            found.facts.append(", ".join(value[:5]))
    elif field.name in ("transactional_id", "key") and type(value) is str and value:
        found.facts.append(f"{field.name} {_short(value)}")


def topic_of(struct: Struct, held_in: str, names: TopicNames) -> str | None:
    """The topic that a struct is about by its own fields; `held_in`: the field that it stands in."""
    fields = {field.name for field in struct.__schema__.fields}
    for name in _TOPIC_FIELDS:
        if name in fields and type(getattr(struct, name)) is str and getattr(struct, name):
            return str(getattr(struct, name))
    is_topic = "topic_id" in fields or held_in.startswith("topic")
    if is_topic and "name" in fields and getattr(struct, "name", None):
        return str(struct.name)  # type: ignore[attr-defined]
    if "topic_id" in fields and (topic_id := getattr(struct, "topic_id", ZERO_UUID)) != ZERO_UUID:
        return names.name(topic_id)
    return None


def _partitions_of(struct: Struct, held_in: str, is_topic: bool) -> list[int]:
    if not is_topic or any(getattr(struct, name, None) is not None for name in _PARTITION_FIELDS):
        for name in _PARTITION_FIELDS:
            value = getattr(struct, name, None)
            if type(value) is int:
                return [value]
    for name in _PARTITION_LISTS:
        value = getattr(struct, name, None)
        if type(value) is list and value and type(value[0]) is int:
            return value
    return []


def errors_in(message: Message, names: TopicNames) -> list[ErrorFound]:
    """Every error code of an answer, nested ones too, in the order in which they stand."""
    return list(_errors(message, "", "", names))


def _errors(struct: Struct, held_in: str, where: str, names: TopicNames) -> Iterator[ErrorFound]:
    where = _where(struct, held_in, where, names)
    for name in ERROR_FIELDS:
        code = getattr(struct, name, 0)
        if code:
            yield ErrorFound(errors.name_of(code), where, getattr(struct, name.replace("_code", "_message"), None))
    for field in struct.__schema__.fields:
        value = getattr(struct, field.name)
        if field.struct is not None and value is not None:
            for item in value if field.array else [value]:
                yield from _errors(item, field.name, where, names)


def _where(struct: Struct, held_in: str, outer: str, names: TopicNames) -> str:
    topic = topic_of(struct, held_in, names)
    if topic is not None:
        outer = topic
    for name in _PARTITION_FIELDS:
        value = getattr(struct, name, None)
        if outer and held_in and type(value) is int:
            return f"{outer}-{value}"
    if topic is None and held_in:
        for name in _NAMED:
            value = getattr(struct, name, None)
            if value not in (None, ""):
                return str(value)
    return outer


def topics_text(topics: dict[str, list[int]], most: int = 6) -> str:
    """`orders[0-2] payments[1]`, and how many more there are."""
    shown = [name + (f"[{_ranges(partitions)}]" if partitions else "") for name, partitions in topics.items()]
    return " ".join(shown[:most]) + (f" and {len(shown) - most} more topics" if len(shown) > most else "")


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
