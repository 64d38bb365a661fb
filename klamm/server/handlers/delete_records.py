"""DeleteRecords v0-2 (KIP-107): moves the log start offset up; -1 stands for the high watermark."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext
from klamm.server.topic_listing import INTERNAL_TOPICS

Topic = DeleteRecordsResponse.DeleteRecordsTopicResult
Result = Topic.DeleteRecordsPartitionResult


def handle(broker: Broker, context: RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse:
    topics: dict[str, dict[int, Result]] = {}
    for topic in request.topics:
        for asked in topic.partitions:
            # Of a partition that is named twice the last offset counts.
            result = Result(partition_index=asked.partition_index, low_watermark=-1, error_code=errors.NONE)
            topics.setdefault(topic.name, {})[asked.partition_index] = result
            try:
                if topic.name in INTERNAL_TOPICS:
                    raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, "records of internal topics cannot be deleted")
                partition = broker.replicas.get(topic.name, asked.partition_index)
                result.low_watermark = partition.delete_records(asked.offset)
            except KafkaError as error:
                result.error_code = error.code
    return DeleteRecordsResponse(
        throttle_time_ms=0,
        topics=[Topic(name=name, partitions=list(results.values())) for name, results in topics.items()],
    )
