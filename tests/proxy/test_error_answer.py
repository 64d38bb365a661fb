"""Error answers of every API and version: they are encodable, and the error stands where clients look for it."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.apis import APIS
from klamm.kproto.catalog import message_class
from klamm.kproto.schema import Struct
from klamm.proxy.error_answer import error_answer, put_error
from klamm.proxy.subjects import TopicNames, errors_in

CASES = [(key, version) for key, api in APIS.items() for version in range(api.low, api.high + 1)]
WITHOUT = {
    "AlterReplicaLogDirs",  # asked by directory, answered by topic
    "DescribeLogDirs",  # up to version 2 only the directories, which the request does not name, have errors
    "ElectLeaders",  # version 0
}
"""APIs for which the server has to be asked, in some version."""


def filled(cls: type[Struct], version: int) -> Any:
    """A request with one item in each array."""
    values: dict[str, Any] = {}
    for field in cls.__schema__.fields:
        if not (field.exists_in(version) or field.tagged_in(version)):
            continue
        if field.struct is not None:
            one = filled(field.struct, version)
            values[field.name] = [one] if field.array else one
        elif field.array:
            values[field.name] = [{"string": "item", "uuid": bytes(15) + b"\x01"}.get(field.type, 7)]
        elif field.type == "string":
            values[field.name] = f"the-{field.name}"
        elif field.type in ("int32", "int16") and field.tag < 0:
            values[field.name] = 7
        elif field.type == "uuid":
            values[field.name] = bytes(15) + b"\x02"
    return cls(**values)


@pytest.mark.parametrize("code", [errors.CLUSTER_AUTHORIZATION_FAILED, errors.UNKNOWN_TOPIC_OR_PARTITION])
@pytest.mark.parametrize(("key", "version"), CASES, ids=lambda n: APIS[n].name if n in APIS else str(n))
def test_the_error_is_told(key: int, version: int, code: int) -> None:
    api = APIS[key]
    request = filled(message_class(f"{api.name}Request"), version)
    answer = error_answer(request, api, version, code)
    if answer is None:
        assert api.name in WITHOUT
        return
    cls = message_class(f"{api.name}Response")
    read = cls.decode(answer.encode(version), version)
    found = errors_in(read, TopicNames())
    assert found
    assert {error.name for error in found} == {errors.name_of(code)}


def told(name: str, version: int, code: int, **values: Any) -> Any:
    api = next(api for api in APIS.values() if api.name == name)
    answer = error_answer(message_class(f"{name}Request")(**values), api, version, code)
    assert answer is not None
    return message_class(f"{name}Response").decode(answer.encode(version), version)


def test_produce_by_partition() -> None:
    cls: Any = message_class("ProduceRequest").TopicProduceData  # type: ignore[attr-defined]
    rows = [cls(name=name, partition_data=[cls.PartitionProduceData(index=i, records=b"x") for i in parts])
            for name, parts in (("a", (0, 2)), ("b", (1,)))]  # fmt: skip
    answer = told("Produce", 9, errors.NOT_LEADER_OR_FOLLOWER, acks=1, timeout_ms=1, topic_data=rows)
    found = [(t.name, p.index, p.error_code, p.base_offset) for t in answer.responses for p in t.partition_responses]
    assert found == [("a", 0, 6, -1), ("a", 2, 6, -1), ("b", 1, 6, -1)]


def test_fetch_keeps_its_session_and_tells_partitions_alone_what_is_theirs() -> None:
    cls: Any = message_class("FetchRequest").FetchTopic  # type: ignore[attr-defined]
    topic = cls(topic_id=bytes(15) + b"\x05", partitions=[cls.FetchPartition(partition=3)])
    answer = told("Fetch", 17, errors.OFFSET_OUT_OF_RANGE, session_id=99, topics=[topic])
    assert (answer.error_code, answer.session_id) == (0, 99)
    assert answer.responses[0].topic_id == topic.topic_id
    assert [(p.partition_index, p.error_code) for p in answer.responses[0].partitions] == [(3, 1)]
    answer = told("Fetch", 17, errors.OFFSET_OUT_OF_RANGE, session_id=99, topics=[])
    assert (answer.error_code, answer.responses) == (1, [])
    answer = told("Fetch", 17, errors.FETCH_SESSION_ID_NOT_FOUND, session_id=99, topics=[topic])
    assert (answer.error_code, answer.responses[0].partitions[0].error_code) == (70, 70)


def test_metadata_of_topics() -> None:
    cls: Any = message_class("MetadataRequest").MetadataRequestTopic  # type: ignore[attr-defined]
    answer = told("Metadata", 12, errors.LEADER_NOT_AVAILABLE, topics=[cls(name="t")])
    assert [(t.name, t.error_code, t.partitions) for t in answer.topics] == [("t", 5, [])]


def test_groups() -> None:
    assert told("Heartbeat", 4, errors.REBALANCE_IN_PROGRESS, group_id="g").error_code == 27
    answer = told("JoinGroup", 9, errors.COORDINATOR_LOAD_IN_PROGRESS, group_id="g")
    assert (answer.error_code, answer.generation_id, answer.members) == (14, -1, [])
    (found,) = told("FindCoordinator", 4, errors.COORDINATOR_NOT_AVAILABLE, coordinator_keys=["g"]).coordinators
    assert (found.key, found.error_code, found.node_id, found.port) == ("g", 15, -1, -1)
    (group,) = told("DescribeGroups", 5, errors.NOT_COORDINATOR, groups=["g"]).groups
    assert (group.group_id, group.error_code) == ("g", 16)


def test_offsets_of_partitions() -> None:
    cls: Any = message_class("OffsetCommitRequest").OffsetCommitRequestTopic  # type: ignore[attr-defined]
    topic = cls(name="t", partitions=[cls.OffsetCommitRequestPartition(partition_index=4, committed_offset=9)])
    answer = told("OffsetCommit", 8, errors.ILLEGAL_GENERATION, group_id="g", topics=[topic])
    assert [(p.partition_index, p.error_code) for p in answer.topics[0].partitions] == [(4, 22)]


def test_an_error_in_the_answer_of_the_server() -> None:
    response: Any = message_class("FetchResponse")
    row = response.FetchableTopicResponse
    part = row.PartitionData(partition_index=0, error_code=0, high_watermark=5, records=b"abc")
    answer = response(responses=[row(topic="t", partitions=[part])])
    assert put_error(answer, errors.NOT_LEADER_OR_FOLLOWER) == 1
    assert (answer.error_code, part.error_code, part.records) == (0, 6, b"")
