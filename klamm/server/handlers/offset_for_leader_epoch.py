"""OffsetForLeaderEpoch v2-4: where a leader epoch ends, so that a consumer can tell whether its log was truncated
(KIP-320).
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

Topic = OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult
Result = Topic.EpochEndOffset


def handle(
    broker: Broker, context: RequestContext, request: OffsetForLeaderEpochRequest
) -> OffsetForLeaderEpochResponse:
    topics = []
    for topic in request.topics:
        results = []
        for asked in topic.partitions:
            result = Result(error_code=errors.NONE, partition=asked.partition)
            results.append(result)
            try:
                partition = broker.replicas.at_epoch(topic.topic, asked.partition, asked.current_leader_epoch)
                result.leader_epoch, result.end_offset = partition.end_offset_for_epoch(asked.leader_epoch)
            except KafkaError as error:
                result.error_code = error.code
        topics.append(Topic(topic=topic.topic, partitions=results))
    return OffsetForLeaderEpochResponse(topics=topics)
