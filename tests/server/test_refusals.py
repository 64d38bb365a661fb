"""Requests that failed as a whole: whose answer has no place for that tells it beside everything that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest
from klamm.kproto.messages.alter_configs import AlterConfigsRequest
from klamm.kproto.messages.create_partitions import CreatePartitionsRequest
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.elect_leaders import ElectLeadersRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.schema import Message
from klamm.server.refusals import refusal
from klamm.server.routes import Route, route

ERROR = KafkaError(errors.REQUEST_TIMED_OUT, "nobody decides")
_Entry = AlterClientQuotasRequest.EntryData
_Election = ElectLeadersRequest.TopicPartitions


def found(key: int) -> Route:
    served = route(key, apis.BROKER)
    assert served is not None
    return served


def deletion(version: int) -> DeleteTopicsRequest:
    if version < 6:
        return DeleteTopicsRequest(topic_names=["a", "b"], timeout_ms=1)
    state = DeleteTopicsRequest.DeleteTopicState
    by_name, by_id = state(name="a", topic_id=bytes(16)), state(name=None, topic_id=b"b" * 16)
    return DeleteTopicsRequest(topics=[by_name, by_id], timeout_ms=1)


def topics(version: int) -> CreateTopicsRequest:
    row = CreateTopicsRequest.CreatableTopic
    rows = [row(name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]) for name in "ab"]
    return CreateTopicsRequest(topics=rows, timeout_ms=1)


def partitions(version: int) -> CreatePartitionsRequest:
    row = CreatePartitionsRequest.CreatePartitionsTopic
    rows = [row(name=name, count=2, assignments=None) for name in "ab"]
    return CreatePartitionsRequest(topics=rows, timeout_ms=1, validate_only=False)


def configs(request: Any) -> Any:
    rows = [request.AlterConfigsResource(resource_type=2, resource_name=name, configs=[]) for name in "ab"]
    return request(resources=rows, validate_only=False)


def quotas(version: int) -> AlterClientQuotasRequest:
    rows = [_Entry(entity=[_Entry.EntityData(entity_type="user", entity_name=name)], ops=[]) for name in "ab"]
    return AlterClientQuotasRequest(entries=rows, validate_only=False)


@pytest.mark.parametrize("key, make, told", [
    (apis.CREATE_TOPICS, topics, lambda answer: [row.name for row in answer.topics]),
    (apis.CREATE_PARTITIONS, partitions, lambda answer: [row.name for row in answer.results]),
    (apis.ALTER_CONFIGS, lambda _: configs(AlterConfigsRequest),
     lambda answer: [row.resource_name for row in answer.responses]),
    (apis.INCREMENTAL_ALTER_CONFIGS, lambda _: configs(IncrementalAlterConfigsRequest),
     lambda answer: [row.resource_name for row in answer.responses]),
    (apis.ALTER_CLIENT_QUOTAS, quotas, lambda answer: [row.entity[0].entity_name for row in answer.entries]),
])  # fmt: skip
def test_each_thing_has_the_error(key: int, make: Any, told: Any) -> None:
    api = found(key)
    for version in range(api.api.low, api.api.high + 1):
        answer = refused(api, version, make(version))
        assert told(answer) == ["a", "b"]
        (rows,) = (value for value in vars_of(answer) if isinstance(value, list))
        assert {row.error_code for row in rows} == {errors.REQUEST_TIMED_OUT}


def test_topics_that_are_not_deleted_go_by_what_named_them() -> None:
    api = found(apis.DELETE_TOPICS)
    for version in range(api.api.low, api.api.high + 1):
        rows = refused(api, version, deletion(version)).responses
        assert [(row.name, row.error_code) for row in rows] == [
            ("a", errors.REQUEST_TIMED_OUT), (None if version >= 6 else "b", errors.REQUEST_TIMED_OUT),
        ]  # fmt: skip
        assert version < 6 or rows[1].topic_id == b"b" * 16


def test_elections_tell_their_error_as_soon_as_they_can() -> None:
    api = found(apis.ELECT_LEADERS)
    request = ElectLeadersRequest(topic_partitions=[_Election(topic="a", partitions=[0, 7])], timeout_ms=1)
    (row,) = refused(api, 0, request).replica_election_results
    assert [(one.partition_id, one.error_code) for one in row.partition_result] == [(0, 7), (7, 7)]
    assert refused(api, 0, ElectLeadersRequest(topic_partitions=None, timeout_ms=1)).replica_election_results == []
    whole = refused(api, 1, request)
    assert (whole.error_code, whole.replica_election_results) == (errors.REQUEST_TIMED_OUT, [])


def test_what_cannot_be_told_ends_the_connection() -> None:
    with pytest.raises(ProtocolError, match=r"CreateTopics failed .* cannot say so"):
        refusal(found(apis.CREATE_TOPICS), 7, ERROR)


def refused(api: Route, version: int, request: Message) -> Any:
    """As the client reads it, who has sent the request in that version."""
    received = api.request.decode(request.encode(version), version)
    return api.response.decode(refusal(api, version, ERROR, received).encode(version), version)


def vars_of(answer: Message) -> list[Any]:
    return [getattr(answer, field.name) for field in answer.__schema__.fields]
