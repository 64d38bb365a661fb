"""OffsetDelete v0 (KIP-496): forget offsets of topics that a group does not read any more."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer, chain
from klamm.server.request import RequestContext

Asked = OffsetDeleteRequest.OffsetDeleteRequestTopic
Answered = OffsetDeleteResponse.OffsetDeleteResponseTopic


def handle(broker: Broker, context: RequestContext, request: OffsetDeleteRequest) -> Answer[OffsetDeleteResponse]:
    topics = broker.metadata.image.topics
    refused: list[Answered] = []
    accepted: list[Asked] = []
    for asked in request.topics:
        found = topics.by_name.get(asked.name)
        known = () if found is None else found.partitions
        missing = [p.partition_index for p in asked.partitions if p.partition_index not in known]
        if missing:
            partition, code = Answered.OffsetDeleteResponsePartition, errors.UNKNOWN_TOPIC_OR_PARTITION
            refused.append(
                Answered(name=asked.name, partitions=[partition(partition_index=i, error_code=code) for i in missing])
            )
        partitions = [p for p in asked.partitions if p.partition_index in known]
        if partitions:
            accepted.append(Asked(name=asked.name, partitions=partitions))
    request.topics = accepted
    return chain(broker.groups.delete_offsets(request), lambda answer: _merged(answer, refused))


def _merged(answer: OffsetDeleteResponse, refused: list[Answered]) -> OffsetDeleteResponse:
    """Each topic once, what was refused in front; the group's own error leaves no room for those of partitions."""
    if answer.error_code:
        return answer
    by_name = {topic.name: topic for topic in refused}
    merged = list(refused)
    for topic in answer.topics:
        if topic.name in by_name:
            by_name[topic.name].partitions += topic.partitions
        else:
            merged.append(topic)
    answer.topics = merged
    return answer
