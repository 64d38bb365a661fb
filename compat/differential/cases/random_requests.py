"""Random requests that are well formed: fields from small pools of telling values, one case an API.

The seed is the API's name, so that a run can be repeated and both brokers are asked the same. Requests that would wait,
or that Kafka never answers, are left out.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from compat.differential.cases import add_case
from compat.differential.cases.groups import coordinator, create_internal_topics
from compat.differential.normal import normal_form
from compat.differential.run import TIMESTAMP, Run, batch, fit
from klamm.kproto.apis import APIS
from klamm.kproto.catalog import message_class
from klamm.kproto.schema import Field, Message, Struct
from klamm.kproto.uuids import uuid_text

REQUESTS_A_VERSION = 40
INTEGERS = (0, 0, 0, 1, 1, 2, 3, -1, -1, -2, 7)
LOWEST = {"Metadata": 4}
"""API -> the lowest version asked: Metadata creates topics, unless it is told not to, since version 4."""
LIMITS = {"int8": (127, -128), "int16": (32767,), "int32": (2**31 - 1,), "int64": (2**63 - 1, TIMESTAMP, TIMESTAMP + 1)}

NOT_NULL = {("DescribeLogDirs", "topics")}
"""Where null would ask for what belongs to other cases."""

NAMES = (
    "ListOffsets", "Metadata", "OffsetCommit", "OffsetFetch", "FindCoordinator", "Heartbeat", "LeaveGroup", "SyncGroup",
    "DescribeGroups", "CreateTopics", "DeleteRecords", "InitProducerId", "OffsetForLeaderEpoch", "DescribeConfigs",
    "AlterConfigs", "DescribeLogDirs", "CreatePartitions", "DeleteGroups", "IncrementalAlterConfigs", "OffsetDelete",
    "DescribeQuorum", "DescribeCluster", "DescribeProducers", "ListConfigResources", "DescribeTopicPartitions",
    "Fetch", "Produce",
)  # fmt: skip

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


class Pools:
    """The values that fields are drawn from."""

    def __init__(self, run: Run, api: str) -> None:
        self.random = random.Random(api)
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
        groups = (group, group, "no.such.group", "")
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

    def message(self, cls: type[Struct], version: int) -> dict[str, Any]:
        """The values of one struct."""
        return {f.name: self._value(cls, f, version) for f in cls.__schema__.fields if f.exists_in(version)}

    def _value(self, cls: type[Struct], field: Field, version: int) -> Any:
        if field.name == "timeout_ms":
            return 30000  # less, and Kafka's controller has no time to answer
        if field.name in self._fixed:
            return self.random.choice(self._fixed[field.name])
        if self.random.random() < 0.15 and field.nullable_in(version) and field.type != "RecordBytes":
            return None if (self._api, field.name) not in NOT_NULL else []
        if field.array:
            return [self._element(cls, field, version) for _ in range(self.random.choice((0, 1, 1, 1, 2, 3)))]
        return self._element(cls, field, version)

    def _element(self, cls: type[Struct], field: Field, version: int) -> Any:
        choice = self.random.choice
        if field.struct is not None:
            return self.message(field.struct, version)
        if field.type == "string":
            if field.name == "name" and "Config" in cls.__name__:
                return choice(self._config_names)
            return choice(self._strings.get(field.name, ("", "x")))
        if field.name == "resource_type" or field.name == "resource_types":
            return choice((2, 2, 4, 8, 16, 32, 0))
        if field.type == "RecordBytes":
            return choice(self._batches)
        return {
            "uuid": lambda: choice(self._ids),
            "bool": lambda: choice((False, True)),
            "bytes": lambda: choice((b"", b"x")),
        }.get(field.type, lambda: choice(INTEGERS + LIMITS.get(field.type, ())))()


def _is_ambiguous(name: str, values: dict[str, Any]) -> bool:
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


def _case(run: Run, name: str) -> None:
    request: type[Message] = message_class(f"{name}Request")
    create_internal_topics(run)
    pools = Pools(run, name)
    run.client.timeout_s = 2.0
    key = request.__schema__.key
    for version in range(LOWEST.get(name, APIS[key].low), APIS[key].high + 1):
        for _ in range(REQUESTS_A_VERSION):
            values = pools.message(request, version)
            if not _is_ambiguous(name, values):
                note = normal_form(fit(request, version, **values), version, run.names)
                run.ask(request, version, str(note), **values)


for _name in NAMES:
    add_case(f"random_requests.{_name}", partial(_case, name=_name))
