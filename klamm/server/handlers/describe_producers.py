"""DescribeProducers v0 (KIP-664): the producers that a partition's replica here remembers; followers answer, too."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_producers import DescribeProducersRequest, DescribeProducersResponse
from klamm.metadata.controller.topic_names import invalid_name_reason
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

Topic = DescribeProducersResponse.TopicResponse
Result = Topic.PartitionResponse


def handle(broker: Broker, context: RequestContext, request: DescribeProducersRequest) -> DescribeProducersResponse:
    topics = []
    for asked in request.topics:
        results = []
        for index in asked.partition_indexes:
            result = Result(partition_index=index, error_code=errors.NONE, active_producers=[])
            results.append(result)
            try:
                reason = invalid_name_reason(asked.name)
                if reason is not None:
                    raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, reason)
                result.active_producers = _producers(broker, asked.name, index)
            except KafkaError as error:
                result.error_code = error.code
                # Kafka has words only for a topic that does not exist or may not be called so.
                if asked.name not in broker.metadata.image.topics.by_name:
                    result.error_message = error.message
        topics.append(Topic(name=asked.name, partitions=results))
    return DescribeProducersResponse(throttle_time_ms=0, topics=topics)


def _producers(broker: Broker, topic: str, index: int) -> list[Result.ProducerState]:
    producers = broker.replicas.readable(topic, index).log.producers.producers
    return [
        Result.ProducerState(
            producer_id=entry.producer_id,
            producer_epoch=entry.producer_epoch,
            last_sequence=entry.last_sequence,
            last_timestamp=entry.last_timestamp,
            coordinator_epoch=entry.coordinator_epoch,
            current_txn_start_offset=entry.current_txn_first_offset,
        )
        for entry in producers.values()
    ]
