"""What belongs to one run of a conversation: ids, epochs and offsets that the server has made.

A replay binds each recorded value to the one that the server gives in its place. Requests go out with the new values;
answers are brought back to the recorded ones, so that whatever still differs is a difference.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from klamm.kproto import records
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import ZERO_UUID, Field, Message, Struct
from klamm.proxy.normal import UNORDERED
from klamm.proxy.subjects import TopicNames, topic_of

_BY_GROUP, _BY_PARTITION, _EVERYWHERE = "group", "partition", ""

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "member_id": ("member", _EVERYWHERE),
    "leader": ("member", _EVERYWHERE),
    "generation_id": ("generation", _BY_GROUP),
    "generation_id_or_member_epoch": ("generation", _BY_GROUP),
    "member_epoch": ("generation", _BY_GROUP),
    "producer_id": ("producer", _EVERYWHERE),
    "producer_epoch": ("producer epoch", _EVERYWHERE),
    "topic_id": ("topic", _EVERYWHERE),
    "session_id": ("session", _EVERYWHERE),
    "cluster_id": ("cluster", _EVERYWHERE),
    "replica_directory_id": ("directory", _EVERYWHERE),
    "client_instance_id": ("client instance", _EVERYWHERE),
    "subscription_id": ("subscription", _EVERYWHERE),
    "leader_epoch": ("leader epoch", _BY_PARTITION),
    "current_leader_epoch": ("leader epoch", _BY_PARTITION),
    "last_fetched_epoch": ("leader epoch", _BY_PARTITION),
    "committed_leader_epoch": ("leader epoch", _BY_PARTITION),
    "node_id": ("node", _EVERYWHERE),
    "broker_id": ("node", _EVERYWHERE),
    "leader_id": ("node", _EVERYWHERE),
    "controller_id": ("node", _EVERYWHERE),
    "replica_nodes": ("node", _EVERYWHERE),
    "isr_nodes": ("node", _EVERYWHERE),
    "offline_replicas": ("node", _EVERYWHERE),
    "eligible_leader_replicas": ("node", _EVERYWHERE),
}
"""Field -> the kind of its value, and within what a value of that kind is one and the same."""

_OFFSETS: Final = {
    "base_offset", "log_start_offset", "offset", "committed_offset", "high_watermark", "last_stable_offset",
    "fetch_offset", "low_watermark", "end_offset", "first_offset", "last_offset",
}  # fmt: skip
_FIRST_OFFSETS: Final = {"base_offset", "offset", "log_start_offset"}
"""Offsets that tell by how much those of a partition are moved."""

_IDENTITY: Final = (
    "name", "topic", "topic_name", "topic_id", "partition_index", "partition", "index", "node_id", "broker_id",
    "group_id", "key", "member_id", "resource_name", "api_key",
)  # fmt: skip
_PARTITION: Final = ("partition_index", "partition", "index")


class Place(NamedTuple):
    """What a struct is about: its group, topic and partition, as far as they are known."""

    group: str = ""
    topic: str | None = None
    partition: int = -1


class Variables:
    """The bindings of one replay."""

    def __init__(self) -> None:
        self.names = TopicNames()
        """The topics of the recorded run."""
        self._forward: dict[tuple[str, Any, Any], Any] = {}
        self._taken: dict[tuple[str, Any, Any], Any] = {}
        self._shifts: dict[tuple[str, int], int] = {}

    def bound(self, kind: str) -> dict[Any, Any]:
        """Recorded value -> value of this run, of one kind."""
        return {value: now for (its, _, value), now in self._forward.items() if its == kind}

    # -- requests: recorded -> this run --

    def put_into(self, request: Message) -> None:
        """Replace recorded values by those of this run, in place."""
        self._put(request, "", Place(_group(request)))

    def _put(self, struct: Struct, held_in: str, place: Place) -> None:
        place = self._place(struct, held_in, place)
        for field in struct.__schema__.fields:
            value = getattr(struct, field.name)
            if value is None:
                continue
            if field.struct is not None:
                for item in value if field.array else [value]:
                    self._put(item, field.name, place)
            elif field.type == "RecordBytes":
                setattr(struct, field.name, self._records_out(value))
            elif (rule := _KINDS.get(field.name)) is not None and not field.array:
                key = (rule[0], _scope(rule[1], place), _plain(value))
                setattr(struct, field.name, self._forward.get(key, value))
            elif field.name in _OFFSETS and value >= 0:
                setattr(struct, field.name, value + self._shift(place))

    def _records_out(self, data: Any) -> Any:
        return _with_producers(data, self.bound("producer"), 0)

    # -- answers: this run -> recorded --

    def bring_back(self, recorded: Message, answer: Message, request: Message | None) -> None:
        """Bind what is new in `answer`, and put the recorded values in place of those that are bound, in place."""
        if answer.__schema__.name == "MetadataResponse":
            self.names.learn(recorded)
        api = answer.__schema__.name.removesuffix("Response")
        self._back(api, recorded, answer, "", Place(_group(request) if request is not None else ""))

    def _back(self, api: str, recorded: Struct, answer: Struct, held_in: str, place: Place) -> None:
        place = self._place(recorded, held_in, place)
        for field in recorded.__schema__.fields:
            old, new = getattr(recorded, field.name), getattr(answer, field.name)
            if old is None or new is None:
                continue
            if field.struct is not None:
                for one, other in self._pairs(api, field, old, new):
                    self._back(api, one, other, field.name, place)
            elif field.type == "RecordBytes":
                setattr(answer, field.name, self._records_back(new, place))
            elif (rule := _KINDS.get(field.name)) is not None:
                scope = _scope(rule[1], place)
                if not field.array:
                    setattr(answer, field.name, self._one_back(rule[0], scope, old, new))
                elif len(old) == len(new):
                    pairs = zip(old, new, strict=True)
                    setattr(answer, field.name, [self._one_back(rule[0], scope, a, b) for a, b in pairs])
            elif field.name in _OFFSETS:
                self._offset_back(field, old, new, answer, place)

    def _one_back(self, kind: str, scope: Any, old: Any, new: Any) -> Any:
        old, new = _plain(old), _plain(new)
        if type(old) is not type(new) or _is_none(old, kind) or _is_none(new, kind):
            return new
        known = self._forward.get((kind, scope, old))
        if known is None and (kind, scope, new) not in self._taken:
            self._forward[kind, scope, old] = new
            self._taken[kind, scope, new] = old
            return old
        return self._taken.get((kind, scope, new), new)

    def _offset_back(self, field: Field, old: int, new: int, answer: Struct, place: Place) -> None:
        if new < 0 or old < 0 or place.topic is None:
            return
        where = (place.topic, place.partition)
        if where not in self._shifts and field.name in _FIRST_OFFSETS:
            self._shifts[where] = new - old
        setattr(answer, field.name, new - self._shift(place))

    def _records_back(self, data: Any, place: Place) -> Any:
        producers = {now: old for old, now in self.bound("producer").items()}
        return _with_producers(data, producers, -self._shift(place))

    def _shift(self, place: Place) -> int:
        return self._shifts.get((place.topic or "", place.partition), 0)

    def _pairs(self, api: str, field: Field, old: Any, new: Any) -> list[tuple[Any, Any]]:
        """Items that stand for the same thing: by what they are about where the order is free, else by their place."""
        if not field.array:
            return [(old, new)]
        if field.name not in {_snake(name) for name in UNORDERED.get(api, ())}:
            return list(zip(old, new, strict=False))
        theirs = {self._identity(item, is_recorded=False): item for item in new}
        ours = [(item, theirs.get(self._identity(item, is_recorded=True))) for item in old]
        if len(theirs) < len(new) or any(other is None for _, other in ours):
            return list(zip(old, new, strict=False))
        return ours

    def _identity(self, item: Struct, *, is_recorded: bool) -> str:
        told = []
        for name in _IDENTITY:
            value = getattr(item, name, None)
            if value is None or (_is_none(_plain(value)) and name == "topic_id"):
                continue
            if name in _KINDS:
                if name == "topic_id" and getattr(item, "name", None):
                    continue  # the name says it, and the id may still be unbound
                key = (_KINDS[name][0], _EVERYWHERE, _plain(value))
                value = self._forward.get(key, value) if is_recorded else value
            told.append(f"{name}={_plain(value)!r}")
        return ",".join(told)

    def _place(self, struct: Struct, held_in: str, place: Place) -> Place:
        topic = topic_of(struct, held_in, self.names)
        group = getattr(struct, "group_id", None)
        partition = next(
            (value for name in _PARTITION if type(value := getattr(struct, name, None)) is int), place.partition
        )
        return Place(group if isinstance(group, str) and group else place.group, topic or place.topic, partition)


def _group(message: Message) -> str:
    group = getattr(message, "group_id", None)
    return group if isinstance(group, str) else ""


def _scope(kind: str, place: Place) -> Any:
    if kind == _BY_GROUP:
        return place.group
    return (place.topic, place.partition) if kind == _BY_PARTITION else ""


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview | bytearray) else value


def _is_none(value: Any, kind: str = "") -> bool:
    """Values that stand for "there is none"."""
    if isinstance(value, int):
        return value < (1 if kind in ("session", "generation") else 0)
    return value in ("", ZERO_UUID)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _with_producers(data: Any, producers: dict[int, int], shift: int) -> Any:
    """Batches with other producer ids, their offsets moved by `shift`; what is damaged stays as it is."""
    if not data or (not shift and all(old == new for old, new in producers.items())):
        return data
    out, at = bytearray(data), 0
    try:
        for batch in records.batches(data):
            if batch.magic == records.MAGIC and batch.producer_id in producers:
                records.set_producer_id(memoryview(out)[at : at + batch.size_bytes], producers[batch.producer_id])
            if shift:
                records.place(out, batch.base_offset + shift, batch.partition_leader_epoch, at)
            at += batch.size_bytes
    except ProtocolError:
        return data
    return bytes(out)
