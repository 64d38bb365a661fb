"""OffsetCommit v2-10: to v4 a retention of its own (KIP-211); v6 leader epoch (KIP-320); v7 static members (KIP-345).

v9 the consumer group protocol, and GROUP_ID_NOT_FOUND (KIP-848); v10 topic ids in place of names (KIP-848).
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from klamm.metadata.image.topics import TopicImage
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer, chain
from klamm.server.request import RequestContext

Asked = OffsetCommitRequest.OffsetCommitRequestTopic
Answered = OffsetCommitResponse.OffsetCommitResponseTopic

_TOPIC_IDS_SINCE = 10


def handle(broker: Broker, context: RequestContext, request: OffsetCommitRequest) -> Answer[OffsetCommitResponse]:
    by_id = context.api_version >= _TOPIC_IDS_SINCE
    topics = broker.metadata.image.topics
    refused: dict[tuple[str, bytes], Answered] = {}
    accepted: list[Asked] = []
    for asked in request.topics:
        found = topics.by_id.get(asked.topic_id) if by_id else topics.by_name.get(asked.name)
        failed = _failed(asked, found, errors.UNKNOWN_TOPIC_ID if by_id else errors.UNKNOWN_TOPIC_OR_PARTITION)
        if failed.partitions or found is None:
            same = refused.setdefault((failed.name, failed.topic_id), failed)
            if same is not failed:
                same.partitions += failed.partitions
        if found is not None:
            partitions = [p for p in asked.partitions if p.partition_index in found.partitions]
            if partitions:
                accepted.append(Asked(name=found.name, topic_id=found.topic_id, partitions=partitions))
    if not accepted and request.topics:
        return OffsetCommitResponse(topics=list(refused.values()))
    request.topics = accepted
    return chain(broker.groups.commit_offsets(context, request), lambda answer: _merged(answer, list(refused.values())))


def _failed(asked: Asked, found: TopicImage | None, unknown_code: int) -> Answered:
    """The partitions of one topic that do not exist."""
    known = () if found is None else found.partitions
    code = unknown_code if found is None else errors.UNKNOWN_TOPIC_OR_PARTITION
    return Answered(
        name=asked.name if found is None else found.name,
        topic_id=asked.topic_id,
        partitions=[
            Answered.OffsetCommitResponsePartition(partition_index=p.partition_index, error_code=code)
            for p in asked.partitions
            if p.partition_index not in known
        ],
    )


def _merged(answer: OffsetCommitResponse, refused: list[Answered]) -> OffsetCommitResponse:
    """Each topic once, what was refused in front; where nothing was refused Kafka leaves repeated topics apart."""
    if not refused:
        return answer
    by_name = {topic.name: topic for topic in refused}
    merged = list(refused)
    for topic in answer.topics:
        if topic.name in by_name:
            by_name[topic.name].partitions += topic.partitions
        else:
            by_name[topic.name] = topic
            merged.append(topic)
    answer.topics = merged
    return answer
