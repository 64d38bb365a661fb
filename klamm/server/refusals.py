"""The answer to a request that failed as a whole.

Its error stands where the answer has a place for one; else, as in Kafka, beside everything that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto import apis
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.schema import Message

if TYPE_CHECKING:
    from klamm.server.routes import Route


def refusal(found: Route, version: int, error: KafkaError, request: Message | None = None) -> Message:
    """The answer: `error` and, where there is room, its message. `request`: None if it could not be read.

    Raises ProtocolError for a response that has no room for either, unless its versions are allowed to leave it out.
    """
    values: dict[str, Any] = {}
    for field in found.response.__schema__.fields:
        if field.name == "error_code" and (field.exists_in(version) or field.ignorable):
            values["error_code"] = error.code
        elif field.name == "error_message" and field.exists_in(version):
            values["error_message"] = error.message
    if "error_code" not in values:
        told = _BESIDE_ALL.get(found.api.key)
        if told is None or request is None:
            raise ProtocolError(f"{found.api.name} failed ({error}) and version {version} cannot say so")
        values = told(found.response, request, {"error_code": error.code, "error_message": error.message})
    return found.response(**values)


def _created_topics(response: Any, request: Any, error: dict[str, Any]) -> dict[str, Any]:
    return {"topics": [response.CreatableTopicResult(name=topic.name, **error) for topic in request.topics]}


def _deleted_topics(response: Any, request: Any, error: dict[str, Any]) -> dict[str, Any]:
    row = response.DeletableTopicResult
    by_state = [row(name=topic.name, topic_id=topic.topic_id, **error) for topic in request.topics]
    return {"responses": by_state + [row(name=name, **error) for name in request.topic_names]}


def _created_partitions(response: Any, request: Any, error: dict[str, Any]) -> dict[str, Any]:
    return {"results": [response.CreatePartitionsTopicResult(name=topic.name, **error) for topic in request.topics]}


def _altered_configs(response: Any, request: Any, error: dict[str, Any]) -> dict[str, Any]:
    row = response.AlterConfigsResourceResponse
    rows = [row(resource_type=a.resource_type, resource_name=a.resource_name, **error) for a in request.resources]
    return {"responses": rows}


def _altered_quotas(response: Any, request: Any, error: dict[str, Any]) -> dict[str, Any]:
    row = response.EntryData

    def entity(asked: Any) -> list[Any]:
        return [row.EntityData(entity_type=part.entity_type, entity_name=part.entity_name) for part in asked.entity]

    return {"entries": [row(entity=entity(asked), **error) for asked in request.entries]}


def _elected_leaders(response: Any, request: Any, error: dict[str, Any]) -> dict[str, Any]:
    row = response.ReplicaElectionResult

    def results(asked: Any) -> list[Any]:
        return [row.PartitionResult(partition_id=index, **error) for index in asked.partitions]

    rows = [row(topic=asked.topic, partition_result=results(asked)) for asked in request.topic_partitions or ()]
    return {"replica_election_results": rows}


_BESIDE_ALL: Final[dict[int, Callable[[Any, Any, dict[str, Any]], dict[str, Any]]]] = {
    apis.CREATE_TOPICS: _created_topics,
    apis.DELETE_TOPICS: _deleted_topics,
    apis.CREATE_PARTITIONS: _created_partitions,
    apis.ALTER_CONFIGS: _altered_configs,
    apis.INCREMENTAL_ALTER_CONFIGS: _altered_configs,
    apis.ALTER_CLIENT_QUOTAS: _altered_quotas,
    apis.ELECT_LEADERS: _elected_leaders,
}
"""What the controller decides on, and has no place for an error of all of it."""
