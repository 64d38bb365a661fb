"""Random requests that are well formed, made from a message's schema by a list of draws.

The draws are numbers, so that the same request can be made on two brokers, each with ids of its own, and made again in
a smaller form: zeros mean the simplest value everywhere. Requests that would wait, or that Kafka never answers, are
left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from compat.differential.cases.groups import coordinator
from compat.differential.run import TIMESTAMP, Run, batch
from klamm.kproto.apis import APIS
from klamm.kproto.schema import Field, Struct
from klamm.kproto.uuids import uuid_text

T = TypeVar("T")

INTEGERS = (0, 0, 0, 1, 1, 2, 3, -1, -1, -2, 7)
LIMITS = {"int8": (127, -128), "int16": (32767,), "int32": (2**31 - 1,), "int64": (2**63 - 1, TIMESTAMP, TIMESTAMP + 1)}
NOT_NULL = {("DescribeLogDirs", "topics")}
"""Where null would ask for what belongs to other cases."""
NOT_EMPTY = {("DescribeTopicPartitions", "topics")}
"""Where an empty list would, too."""
_NULL_ODDS = 7
_LENGTHS = (0, 1, 1, 1, 2, 3)

NAMES: Final = (
    "ListOffsets", "Metadata", "OffsetCommit", "OffsetFetch", "FindCoordinator", "Heartbeat", "LeaveGroup", "SyncGroup",
    "DescribeGroups", "CreateTopics", "DeleteRecords", "InitProducerId", "OffsetForLeaderEpoch", "DescribeConfigs",
    "AlterConfigs", "DescribeLogDirs", "CreatePartitions", "DeleteGroups", "IncrementalAlterConfigs", "OffsetDelete",
    "DescribeQuorum", "DescribeCluster", "DescribeProducers", "ListConfigResources", "DescribeTopicPartitions",
    "Fetch", "Produce",
)  # fmt: skip
"""The APIs that random requests are made for."""
LOWEST = {"Metadata": 4}
"""API -> the lowest version asked: Metadata creates topics, unless it is told not to, since version 4."""

FIXED: dict[str, dict[str, tuple[Any, ...]]] = {
    "Metadata": {"allow_auto_topic_creation": (False,)},
    "CreateTopics": {"validate_only": (True,), "num_partitions": (-1, 0, 1, 2, 20000)},
    "CreatePartitions": {"validate_only": (True,), "count": (-1, 0, 1, 2, 3, 5)},
    "AlterConfigs": {"validate_only": (True,)},
    "IncrementalAlterConfigs": {"validate_only": (True,), "config_operation": (0, 0, 1, 2, 3)},
    "Fetch": {
        "max_wait_ms": (0,), "isolation_level": (0, 1), "session_id": (0,), "session_epoch": (-1, -1, 0),
        "replica_id": (-1,), "max_bytes": (1, 100, 1 << 20), "partition_max_bytes": (0, 1 << 20),
        "fetch_offset": (-1, 0, 1, 2, 3, 4, 5),
    },
    "ListOffsets": {
        "isolation_level": (0, 1), "replica_id": (-1,), "timestamp": (*range(-7, 2), TIMESTAMP, TIMESTAMP + 1),
    },
    "OffsetForLeaderEpoch": {"replica_id": (-1, -2)},
    "Produce": {"acks": (-1, 1), "transactional_id": (None,)},
    "InitProducerId": {"transactional_id": (None, None, "")},
}  # fmt: skip
"""API -> field -> the values it may have: what would make the broker wait, or change what other cases see, is out."""


_REACH, _ELEMENT = 12, 3
"""How far from a list's length its elements are looked for, and of how many choices they are made."""


class Draws:
    """Choices from a seed, or choices made before. `taken` has the numbers of all of them."""

    def __init__(self, source: random.Random | Sequence[int]) -> None:
        self._source = source
        self.taken: list[int] = []

    def choice(self, options: Sequence[T]) -> T:
        """One of them; behind the end of a list of choices it is the first."""
        if isinstance(self._source, random.Random):
            number = self._source.randrange(len(options))
        else:
            at = len(self.taken)
            number = min(self._source[at], len(options) - 1) if at < len(self._source) else 0
        self.taken.append(number)
        return options[number]

    def is_left_out(self) -> bool:
        """Whether something that may be null is: once in _NULL_ODDS times, and always where no choice is left."""
        if isinstance(self._source, random.Random):
            number = 0 if self._source.randrange(_NULL_ODDS) == _NULL_ODDS - 1 else 1
        else:
            at = len(self.taken)
            number = min(self._source[at], 1) if at < len(self._source) else 0
        self.taken.append(number)
        return number == 0


def smaller(draws: Sequence[int]) -> Iterator[list[int]]:
    """Simpler lists of choices to try: parts left out, then numbers made zero or less, then both at once.

    The last is how an element leaves a list: the choice that was its length, and the choices that it was made of.
    """
    size = max(1, len(draws) // 2)
    while size:
        for start in range(0, len(draws), size):
            yield [*draws[:start], *draws[start + size :]]
        size //= 2
    for at, number in enumerate(draws):
        for less in {0, number // 2, number - 1} - {number, -1}:
            yield [*draws[:at], less, *draws[at + 1 :]]
    for at, number in enumerate(draws):
        for start in range(at + 1, min(len(draws), at + 1 + _REACH)) if number else ():
            for width in range(1, _ELEMENT + 1):
                yield [*draws[:at], number - 1, *draws[at + 1 : start], *draws[start + width :]]


class Pools:
    """The values that fields are drawn from, made of topics and a group of the run."""

    def __init__(self, run: Run, api: str) -> None:
        self._api = api
        self._fixed = FIXED.get(api, {})
        topics = [run.topic(2), run.topic(1, cleanup_policy="compact")]
        run.produce(topics[0], batch(b"a", b"b", key=b"k"), batch(b"c", key=b"k"))
        group = coordinator(run, run.new_name("group"))
        run.producer_id()
        names = (topics[0].name, topics[0].name, topics[1].name, "no.such.topic", "", "a/b")
        ids = (topics[0].topic_id, topics[0].topic_id, topics[1].topic_id, b"\x11" * 16, bytes(16))
        for unknown in ids[3:]:
            run.names.call("id of", uuid_text(unknown), unknown[:1].hex())
        # What is committed to a group of any name is there for other cases, too.
        groups = (group, group, f"{group}.no.such", *(() if api == "OffsetCommit" else ("",)))
        keys = ("retention.ms", "cleanup.policy", "num.partitions", "no.such.key", "log.retention.ms", "")
        self._strings: dict[str, tuple[str, ...]] = {
            "topic": names, "topic_name": names, "name": names, "topic_names": names, "group_id": groups,
            "groups": groups, "groups_names": groups, "key": groups, "coordinator_keys": groups,
            "resource_name": (*names, "1", "2"), "configuration_keys": keys,
            "value": ("5", "x", "", "compact", "delete"),
            "member_id": ("", "no-such-member"),
        }  # fmt: skip
        self._config_names = keys
        # Kafka's Fetch fails on the zero id behind another unknown one: see the case fetch.zero_id.
        self._ids = ids[:-1] if api == "Fetch" else ids
        self._batches = (batch(b"r", key=b"k"), batch(b"r"), batch(b"r", b"s", key=b"k", compression=1), b"", b"x")

    def message(self, cls: type[Struct], version: int, draws: Draws) -> dict[str, Any]:
        """The values of one struct."""
        return {f.name: self._value(cls, f, version, draws) for f in cls.__schema__.fields if f.exists_in(version)}

    def _value(self, cls: type[Struct], field: Field, version: int, draws: Draws) -> Any:
        if field.name == "timeout_ms":
            return 30000  # less, and Kafka's controller has no time to answer
        if field.name in self._fixed:
            return draws.choice(self._fixed[field.name])
        if field.nullable_in(version) and field.type != "RecordBytes" and draws.is_left_out():
            return None if (self._api, field.name) not in NOT_NULL else []
        if field.array:
            lengths = _LENGTHS[1:] if (self._api, field.name) in NOT_EMPTY else _LENGTHS
            return [self._element(cls, field, version, draws) for _ in range(draws.choice(lengths))]
        return self._element(cls, field, version, draws)

    def _element(self, cls: type[Struct], field: Field, version: int, draws: Draws) -> Any:
        choice = draws.choice
        if field.struct is not None:
            return self.message(field.struct, version, draws)
        if field.type == "string":
            if field.name == "name" and "Config" in cls.__name__:
                return choice(self._config_names)
            return choice(self._strings.get(field.name, ("", "x")))
        if field.name in ("resource_type", "resource_types"):
            return choice((2, 2, 4, 8, 16, 32, 0))
        if field.type == "RecordBytes":
            return choice(self._batches)
        by_type: dict[str, Callable[[], Any]] = {
            "uuid": lambda: choice(self._ids),
            "bool": lambda: choice((False, True)),
            "bytes": lambda: choice((b"", b"x")),
        }
        return by_type.get(field.type, lambda: choice(INTEGERS + LIMITS.get(field.type, ())))()


def is_ambiguous(name: str, values: dict[str, Any]) -> bool:
    """Whether something is named twice that Kafka then mixes up (Produce) or never answers (AlterConfigs)."""
    places: list[tuple[Any, ...]]
    if name == "Produce":
        places = [
            (t.get("name"), t.get("topic_id"), p["index"]) for t in values["topic_data"] for p in t["partition_data"]
        ]
    elif name == "AlterConfigs":
        places = [(r["resource_type"], r["resource_name"]) for r in values["resources"]]
    else:
        return False
    return len(set(places)) < len(places)


def lowest(name: str, key: int) -> int:
    """The lowest version to ask at random."""
    return LOWEST.get(name, APIS[key].low)
