"""DeleteRecords v0-2 (KIP-107): moves the log start offset up, on all replicas; -1 stands for the high watermark."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from klamm.reply import Reply
from klamm.server.broker import Broker
from klamm.server.partition import Partition
from klamm.server.request import RequestContext
from klamm.server.topic_listing import INTERNAL_TOPICS

if TYPE_CHECKING:
    from klamm.kproto.schema import Message
    from klamm.seams import Clock

Topic = DeleteRecordsResponse.DeleteRecordsTopicResult
Result = Topic.DeleteRecordsPartitionResult


def handle(
    broker: Broker, context: RequestContext, request: DeleteRecordsRequest
) -> DeleteRecordsResponse | Reply[Message | None]:
    # Of a partition that is named twice the last offset counts, and nothing is deleted for the others.
    wanted: dict[str, dict[int, int]] = {}
    for topic in request.topics:
        for asked in topic.partitions:
            wanted.setdefault(topic.name, {})[asked.partition_index] = asked.offset
    response = DeleteRecordsResponse(throttle_time_ms=0, topics=[])
    deleting: list[tuple[Result, Partition]] = []
    for name, offsets in wanted.items():
        answered = Topic(name=name, partitions=[])
        response.topics.append(answered)
        for index, offset in offsets.items():
            result = Result(partition_index=index, low_watermark=-1, error_code=errors.NONE)
            answered.partitions.append(result)
            try:
                if name in INTERNAL_TOPICS and _exists(broker, name, index):
                    raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, "records of internal topics cannot be deleted")
                partition = broker.replicas.get(name, index)
                result.low_watermark = partition.delete_records(offset)
                if partition.low_watermark < result.low_watermark:
                    deleting.append((result, partition))
            except KafkaError as error:
                result.error_code = error.code
    return _when_deleted(broker.clock, request.timeout_ms, response, deleting) if deleting else response


def _exists(broker: Broker, name: str, index: int) -> bool:
    topic = broker.metadata.image.topics.by_name.get(name)
    return topic is not None and index in topic.partitions


def _when_deleted(
    clock: Clock, timeout_ms: int, response: DeleteRecordsResponse, deleting: list[tuple[Result, Partition]]
) -> Reply[Message | None]:
    """Answer when the followers that are alive have deleted the records, too."""
    reply: Reply[Message | None] = Reply()
    left = {id(result): result for result, _ in deleting}

    def told(result: Result, code: int, low_watermark: int) -> None:
        if left.pop(id(result), None) is not None:
            result.error_code, result.low_watermark = code, low_watermark
            if not left:
                timer.cancel()
                reply.resolve(response)

    def expire() -> None:
        for result in left.values():
            result.error_code = errors.REQUEST_TIMED_OUT
        left.clear()
        reply.resolve(response)

    timer = clock.call_later(max(timeout_ms, 0), expire)
    for result, partition in deleting:
        partition.when_deleted(result.low_watermark, partial(told, result))
    return reply
