"""The normal form of an answer: the rules that say what may differ between two right brokers.

What a rule replaces becomes a named variable, numbered in the order of its first appearance, so that equality of the
rest still means something: two answers that name the same producer do so on both brokers. Nothing else is touched.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from klamm.kproto import batch_json, records
from klamm.kproto.json_form import to_json
from klamm.kproto.schema import Message
from klamm.kproto.uuids import uuid_text

Json = Any

ZERO_ID = uuid_text(bytes(16))
NOW_WINDOW_MS = 3_600_000
"""A timestamp this close to the present is the broker's clock; cases use timestamps of years ago."""

UNORDERED = {
    "ApiVersions": ("supportedFeatures", "finalizedFeatures"),
    "Metadata": ("topics", "brokers"),
    "CreateTopics": ("topics", "configs"),
    "DeleteTopics": ("responses",),
    "CreatePartitions": ("results",),
    "DescribeConfigs": ("results", "configs"),
    "AlterConfigs": ("responses",),
    "IncrementalAlterConfigs": ("responses",),
    "ListGroups": ("groups",),
    "ListConfigResources": ("configResources",),
    "DescribeLogDirs": ("topics", "partitions"),
    "DescribeProducers": ("activeProducers",),
    "OffsetFetch": ("topics", "partitions"),
    "OffsetCommit": ("topics", "partitions"),
    "OffsetDelete": ("topics", "partitions"),
    "DeleteRecords": ("topics", "partitions"),
    "DeleteGroups": ("results",),
    "ListOffsets": ("topics", "partitions"),
    "OffsetForLeaderEpoch": ("topics", "partitions"),
    "DescribeGroups": ("groups", "members"),
    "JoinGroup": ("members",),
    "Produce": ("responses", "partitionResponses"),
    "Fetch": ("nodeEndpoints",),
    "ElectLeaders": ("replicaElectionResults", "partitionResult"),
    "ListPartitionReassignments": ("topics", "partitions"),
    "AlterReplicaLogDirs": ("results", "partitions"),
    "DescribeTopicPartitions": (),
    "DescribeCluster": ("brokers",),
    "AlterClientQuotas": ("entries", "entity"),
    "DescribeClientQuotas": ("entries", "entity", "values"),
    "UpdateFeatures": ("results",),
    "DescribeUserScramCredentials": ("results",),
}
"""Lists whose order Kafka leaves to its hash maps or to the order in which it happens to look things up."""

_IDENTITY = ("name", "topic", "topicName", "topicId", "groupId", "key", "apiKey", "resourceType", "resourceName",
             "partitionIndex", "partition", "index", "nodeId", "memberId", "producerId")  # fmt: skip

TEXTS = {"errorMessage", "message", "batchIndexErrorMessage", "documentation", "statusMessage"}
"""Words: only null, empty or present matters."""

NODE_SETTINGS = (
    "listeners", "advertised.listeners", "log.dir", "log.dirs", "metadata.log.dir", "controller.quorum.voters",
    "controller.quorum.bootstrap.servers",
)  # fmt: skip
"""Settings whose values are a broker's own ports and directories."""

_PRESENT_IF_POSITIVE = {
    "DescribeLogDirs": ("totalBytes", "usableBytes"),
    "DescribeQuorum": (
        "highWatermark",
        "logEndOffset",
        "lastFetchTimestamp",
        "lastCaughtUpTimestamp",
        "leaderEpoch",
        "port",
    ),
    "ApiVersions": ("finalizedFeaturesEpoch",),
    "Vote": ("leaderEpoch",),
    "BeginQuorumEpoch": ("leaderEpoch",),
    "EndQuorumEpoch": ("leaderEpoch",),
    "FetchSnapshot": ("leaderEpoch",),
    "UpdateRaftVoter": ("leaderEpoch",),
    "AllocateProducerIds": ("producerIdStart",),
}
"""Numbers that tell how far or how large a broker happens to be: only the sign matters."""

_NAMED = ("name", "topic", "topicName", "resourceName", "groupId")
_OF_A_CASE = re.compile(r"(?:kit-[0-9a-f]{6}-)?[a-z_]+\.[A-Za-z_0-9.]+\.[a-z]+[0-9]+")
_MEMBER = re.compile(r"(.*)-[A-Za-z0-9]{8}-[A-Za-z0-9]{4}-[A-Za-z0-9]{4}-[A-Za-z0-9]{4}-[A-Za-z0-9]{12}")


class Names:
    """The variables of one case on one broker."""

    def __init__(self, port: int, data_dir: str, case: str = "", *, now_ms: Sequence[float] = ()) -> None:
        """`now_ms`: the moments (ms since 1970) around which a timestamp is the broker's clock."""
        self._now_ms = tuple(now_ms)
        self.port = port
        self.data_dir = data_dir
        self.controller_port = -1
        self.node_id = -1
        self.host = ""
        self._case = case
        self._named: dict[tuple[str, object], str] = {}
        self._count: dict[str, int] = {}

    def name(self, kind: str, value: object) -> str:
        """The variable that stands for `value`, a new one when it is seen for the first time."""
        known = self._named.get((kind, value))
        if known is None:
            self._count[kind] = self._count.get(kind, 0) + 1
            known = self._named[kind, value] = f"<{kind} {self._count[kind]}>"
        return known

    def time(self, value: Json) -> Json:
        """A timestamp, or that it is of the present."""
        is_now = isinstance(value, int) and any(abs(value - now) < NOW_WINDOW_MS for now in self._now_ms)
        return "<now>" if is_now else value

    def is_foreign(self, item: object) -> bool:
        """Whether an item of a list is about a topic or a group that another case has made."""
        if not self._case or not isinstance(item, dict):
            return False
        name = next((item[key] for key in _NAMED if isinstance(item.get(key), str)), "")
        return _OF_A_CASE.fullmatch(name) is not None and not name.startswith(f"{self._case}.")

    def call(self, kind: str, value: object, name: str) -> None:
        """Give a value its name before it is met."""
        self._named[kind, value] = f"<{kind} {name}>"


def normal_form(message: Message, version: int, names: Names) -> Json:
    """A message as JSON with variables in place of what belongs to one broker."""
    schema = message.__schema__
    api = schema.name.removesuffix("Response")  # a request has no lists whose order is free
    return _value(api, "", to_json(message, version, schema.is_flexible(version)), names)


def _value(api: str, field: str, value: Json, names: Names) -> Json:
    if isinstance(value, dict):
        return _struct(api, value, names)
    if isinstance(value, list):
        items = [_value(api, field, item, names) for item in value if not names.is_foreign(item)]
        return sorted(items, key=_sort_key) if field in UNORDERED.get(api, ()) else items
    if field in _PRESENT_IF_POSITIVE.get(api, ()):
        return "<positive>" if value > 0 else value
    rule = RULES.get(field)
    if rule is not None:
        return rule(value, names)
    if field in TEXTS:
        return "<text>" if value else value
    if "imestamp" in field or field.endswith("TimeMs"):
        return names.time(value)
    return value


def _struct(api: str, form: Mapping[str, Json], names: Names) -> Json:
    if form.get("name") and form.get("topicId", ZERO_ID) != ZERO_ID:
        names.call("id of", form["topicId"], form["name"])
    out = {key: _value(api, key, value, names) for key, value in form.items()}
    if api == "DescribeConfigs" and any(fnmatchcase(str(out.get("name", "")), name) for name in NODE_SETTINGS):
        if out.get("value"):
            out["value"] = "<own>"
        for synonym in out.get("synonyms", ()):
            synonym["value"] = synonym["value"] and "<own>"
    return out


def identity(item: Json) -> str:
    """What an item of a list is about, as text: by that it is put in order and found again."""
    return repr([item[key] for key in _IDENTITY if key in item]) if isinstance(item, dict) else repr(item)


def _sort_key(item: Json) -> tuple[str, str]:
    return identity(item), repr(item)


def _topic_id(value: str, names: Names) -> str:
    return value if value == ZERO_ID else names.name("id of", value)


def _member(value: str | None, names: Names) -> str | None:
    found = _MEMBER.fullmatch(value) if value else None
    return names.name(f"member of {found[1]}", value) if found else value


def _node(value: Json, names: Names) -> Json:
    return "<node>" if value == names.node_id and value is not True and names.node_id >= 0 else value


def _records(value: str | None, names: Names) -> Json:
    """Batches as what is in them: compressed bytes depend on the compressor, the rest must be equal."""
    if not value:
        return value
    data = base64.b64decode(value)
    form = batch_json.describe(data)
    if not form["valid"]:
        return {"damaged": form["stage"], "seen": form["batches_seen"]}
    shown = []
    for batch in form["batches"]:
        batch = {key: names.time(v) if "imestamp" in key else v for key, v in batch.items()}
        if batch.get("producer_id", -1) >= 0:
            batch["producer_id"] = names.name("producer", batch["producer_id"])
        if batch["compression"] != "none" or any(str(v).startswith("<") for v in batch.values()):
            batch.pop("crc", None)
        if batch["compression"] != "none":
            batch.pop("size", None)
        shown.append(batch)
    rows = [{key: names.time(v) if "imestamp" in key else v for key, v in record.items()} for record in form["records"]]
    complete = sum(batch.size_bytes for batch in records.batches(data))
    return {"batches": shown, "records": rows, "cut": len(data) != complete}


RULES: dict[str, Callable[[Any, Names], Json]] = {
    "topicId": _topic_id,
    "clusterId": lambda value, names: value and names.name("cluster", value),
    "port": lambda value, names: {names.port: "<port>", names.controller_port: "<controller port>"}.get(value, value),
    "producerId": lambda value, names: value if value < 0 else names.name("producer", value),
    "brokerEpoch": lambda value, names: value if value < 0 else names.name("epoch of a broker", value),
    "sessionId": lambda value, names: value and names.name("session", value),
    "memberId": _member,
    "leader": lambda value, names: _member(value, names) if isinstance(value, str) else _node(value, names),
    "host": lambda value, names: "<host>" if value and value == names.host else value,
    **dict.fromkeys(("nodeId", "leaderId", "brokerId", "controllerId", "replicaNodes", "isrNodes"), _node),
    "records": _records,
    "logDir": lambda value, names: "<data dir>" if value == names.data_dir else value,
    "replicaDirectoryId": lambda value, names: value if value == ZERO_ID else names.name("directory", value),
}
"""Field -> what stands for its value."""
