"""Produce v3-13: append record batches.

v3 brought transactional ids (KIP-98), v7 zstd (KIP-110), v8 record errors and messages (KIP-467), v9 is flexible,
v10 tells the current leader (KIP-951), v11 and v12 concern transactions (KIP-890), v13 names topics by id
(KIP-516).

acks=0 gets no answer; when such a request fails the connection is closed, which is how its client learns of it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.log.io_thread import Completion
from klamm.server.broker import Broker
from klamm.server.dispatch import AcksZeroError
from klamm.server.request import RequestContext

Topic = ProduceResponse.TopicProduceResponse
Result = Topic.PartitionProduceResponse
Asked = ProduceRequest.TopicProduceData.PartitionProduceData


def handle(
    broker: Broker, context: RequestContext, request: ProduceRequest
) -> ProduceResponse | Awaitable[ProduceResponse | None] | None:
    if request.acks not in (-1, 0, 1):
        return _answer(request, _all_failed(request, errors.INVALID_REQUIRED_ACKS))
    by_id = context.api_version >= 13
    now_ms = broker.clock.time_ms()
    pending: list[tuple[Result, Completion]] = []
    topics: list[Topic] = []
    for asked in request.topic_data:
        results = []
        for partition_data in asked.partition_data:
            result = Result(index=partition_data.index, error_code=0, base_offset=-1)
            results.append(result)
            written = _append(broker, asked, partition_data, by_id, request.acks, now_ms, result)
            if written is not None:
                pending.append((result, written))
        topics.append(Topic(name=asked.name, topic_id=asked.topic_id, partition_responses=results))
    if pending:
        return _when_written(request, topics, pending)
    return _answer(request, topics)


def _append(
    broker: Broker,
    topic: ProduceRequest.TopicProduceData,
    asked: Asked,
    by_id: bool,
    acks: int,
    now_ms: int,
    result: Result,
) -> Completion | None:
    """Append one partition's batches and fill in its result; gives the future of bytes that are still being written."""
    try:
        replicas = broker.replicas
        partition = replicas.by_id(topic.topic_id, asked.index) if by_id else replicas.get(topic.name, asked.index)
        if asked.records is None:
            raise KafkaError(errors.INVALID_RECORD, "a partition without records")
        assert isinstance(asked.records, memoryview)  # a view of the frame, which may be written to
        appended = partition.append(asked.records, now_ms, acks)
    except KafkaError as error:
        result.error_code = error.code
        result.error_message = error.message
        return None
    result.base_offset = appended.base_offset
    result.log_append_time_ms = appended.log_append_time_ms
    result.log_start_offset = appended.log_start_offset
    return appended.written


async def _when_written(
    request: ProduceRequest, topics: list[Topic], pending: list[tuple[Result, Completion]]
) -> ProduceResponse | None:
    for result, written in pending:
        try:
            await written
        except KafkaError as error:
            result.error_code, result.error_message, result.base_offset = error.code, error.message, -1
    return _answer(request, topics)


def _all_failed(request: ProduceRequest, code: int) -> list[Topic]:
    return [
        Topic(
            name=topic.name,
            topic_id=topic.topic_id,
            partition_responses=[Result(index=p.index, error_code=code, base_offset=-1) for p in topic.partition_data],
        )
        for topic in request.topic_data
    ]


def _answer(request: ProduceRequest, topics: list[Topic]) -> ProduceResponse | None:
    if request.acks:
        return ProduceResponse(responses=topics)
    for topic in topics:
        for result in topic.partition_responses:
            if result.error_code:
                raise AcksZeroError(f"produce with acks=0 failed: {errors.name_of(result.error_code)}")
    return None
