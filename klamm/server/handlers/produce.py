"""Produce v3-13: append record batches.

v3 brought transactional ids (KIP-98), v7 zstd (KIP-110), v8 record errors and messages (KIP-467), v9 is flexible,
v10 tells the current leader (KIP-951), v11 and v12 concern transactions (KIP-890), v13 names topics by id
(KIP-516).

acks=0 gets no answer; when such a request fails the connection is closed, which is how its client learns of it.

The commonest form of the request is served by hand (`quick`), without an object for each of its parts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Final

from klamm.kproto import compression, errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.kproto.record_codec import CorruptBatch
from klamm.kproto.schema import Message
from klamm.log.partition_log import Appended
from klamm.log.validation import InvalidRecords, NotOneBatch
from klamm.reply import Reply
from klamm.server.broker import Broker
from klamm.server.current_leader import address_of, current_leader
from klamm.server.dispatch import AcksZeroError
from klamm.server.partition import Partition
from klamm.server.pending_produce import PendingProduce, Result, must_wait
from klamm.server.request import RequestContext


class NotVerified(KafkaError):
    """A transaction's first batch for a partition of which its coordinator is not known to know (KIP-890)."""


Topic = ProduceResponse.TopicProduceResponse
Asked = ProduceRequest.TopicProduceData.PartitionProduceData

_ZSTD_SINCE: Final = 7
_LEADERS_SINCE: Final = 10
_BEFORE_THE_LOG: Final = frozenset(
    {
        errors.INVALID_REQUIRED_ACKS,
        errors.NOT_LEADER_OR_FOLLOWER,
        errors.MESSAGE_TOO_LARGE,
        errors.RECORD_LIST_TOO_LARGE,
        errors.CORRUPT_MESSAGE,
        errors.NOT_ENOUGH_REPLICAS,
        errors.KAFKA_STORAGE_ERROR,
        errors.INVALID_TOPIC_EXCEPTION,
    }
)
"""Errors with which Kafka does not tell where the log starts."""


def handle(
    broker: Broker, context: RequestContext, request: ProduceRequest
) -> ProduceResponse | Reply[Message | None] | None:
    refused = _refused_as_a_whole(context.api_version, request)
    if refused:
        return _answer(request.acks, _all_failed(request, refused), broker, context)
    by_id = context.api_version >= 13
    now_ms = broker.clock.time_ms()
    pending: list[tuple[Result, Partition, Appended]] = []
    topics: list[Topic] = []
    for asked in _each_once(request.topic_data):
        results = []
        for partition_data in asked.partition_data:
            result = Result(index=partition_data.index, error_code=0, base_offset=-1)
            results.append(result)
            waits = _append(broker, asked, partition_data, by_id, request.acks, now_ms, result)
            if waits is not None:
                pending.append((result, *waits))
        topics.append(Topic(name=asked.name, topic_id=asked.topic_id, partition_responses=results))
    if pending:
        return _later(broker, context, request.acks, request.timeout_ms, topics, pending)
    return _answer(request.acks, topics, broker, context)


def _each_once(asked: list[ProduceRequest.TopicProduceData]) -> list[ProduceRequest.TopicProduceData]:
    """Each topic and partition once: the last records of a partition count. Topics without partitions are left out."""
    found: dict[tuple[str, bytes], dict[int, Asked]] = {}
    for topic in asked:
        partitions = found.setdefault((topic.name, topic.topic_id), {})
        for data in topic.partition_data:
            partitions[data.index] = data
    return [
        ProduceRequest.TopicProduceData(name=name, topic_id=topic_id, partition_data=list(partitions.values()))
        for (name, topic_id), partitions in found.items()
        if partitions
    ]


def _refused_as_a_whole(version: int, request: ProduceRequest) -> int:
    """The error of a request that no partition is looked at for, or NONE."""
    attributes = [_attributes(data.records) for topic in request.topic_data for data in topic.partition_data]
    if version < _ZSTD_SINCE and any(bits & records.COMPRESSION_MASK == compression.ZSTD for bits in attributes):
        return errors.UNSUPPORTED_COMPRESSION_TYPE
    if request.transactional_id is None and any(bits & records.TRANSACTIONAL for bits in attributes):
        return errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    return errors.NONE


def _attributes(batches: records.RecordBytes | None) -> int:
    """The attributes of the first batch, 0 when there is none of version 2."""
    if batches is None or len(batches) < records.HEADER_SIZE or batches[records.MAGIC_AT] != records.MAGIC:
        return 0
    return batches[records.ATTRIBUTES_AT + 1]


_HEAD: Final = struct.Struct(">BhiB").unpack_from  # length of the transactional id, acks, timeout, number of topics
_PARTITION: Final = struct.Struct(">BiB").unpack_from  # number of partitions, index, first byte of the batch's length
_ONE: Final = 2
"""A compact array of one element."""
_NO_TAGS: Final = bytes(3)
"""The partition, the topic and the request have no tagged fields."""


def quick(
    broker: Broker, context: RequestContext, frame: memoryview
) -> ProduceResponse | bytes | Reply[Message | None] | None:
    """Serve a request of the flexible versions, of no transaction and to be answered, with records for one partition.

    What comes out is what `handle` would give. None: the request has another form, or none, and nothing was done.
    """
    if context.api_version < 9:
        return None
    by_id = context.api_version >= 13
    try:
        transactional, acks, timeout_ms, topics = _HEAD(frame, context.body_at)
        if transactional or topics != _ONE or not (acks == -1 or acks == 1):
            return None
        at = context.body_at + 8
        end = at + 16 if by_id else at + frame[at]
        topic = bytes(frame[at if by_id else at + 1 : end])
        name = "" if by_id else topic.decode()
        partitions, index, low = _PARTITION(frame, end)
        at, size, shift = end + 6, low & 0x7F, 7
        while low > 127 and shift < 28:
            low = frame[at]
            size |= (low & 0x7F) << shift
            at, shift = at + 1, shift + 7
    except (struct.error, IndexError, UnicodeDecodeError):
        return None
    end = at + size - 1
    if partitions != _ONE or low > 127 or size < 2 or len(topic) > 126 or frame[end:] != _NO_TAGS:
        return None
    if size > records.HEADER_SIZE and frame[at + records.ATTRIBUTES_AT + 1] & records.TRANSACTIONAL:
        return None
    partition = None
    try:
        partition = broker.replicas.by_id(topic, index) if by_id else broker.replicas.get(name, index)
        appended = partition.append(frame[at:end], broker.clock.time_ms(), acks)
    except KafkaError as error:
        result = Result(index=index, error_code=0, base_offset=-1)
        _refuse(result, error, partition)
        return _answer(acks, _one_topic(topic if by_id else name, result), broker, context)
    if not must_wait(partition, appended, acks):
        return _packer(len(topic), by_id)(topic, index, appended)
    result = Result(index=index, error_code=0, base_offset=-1)
    _accept(result, appended)
    rows = _one_topic(topic if by_id else name, result)
    return _later(broker, context, acks, timeout_ms, rows, [(result, partition, appended)])


def _one_topic(topic: str | bytes, result: Result) -> list[Topic]:
    named = Topic(partition_responses=[result])
    if isinstance(topic, bytes):
        named.topic_id = topic
    else:
        named.name = topic
    return [named]


@cache
def _packer(topic_bytes: int, by_id: bool) -> Callable[[bytes, int, Appended], bytes]:
    """What encodes the answer to an append to one partition, of a topic whose name or id has that many bytes."""
    # One topic, one partition, index, error code, three numbers, no record errors; then no message, the ends of
    # partition and topic, throttle time, the end of the answer.
    if by_id:
        pack = struct.Struct(">B16sBihqqqB8x").pack
        return lambda topic, index, a: pack(
            _ONE, topic, _ONE, index, 0, a.base_offset, a.log_append_time_ms, a.log_start_offset, 1
        )
    pack = struct.Struct(f">BB{topic_bytes}sBihqqqB8x").pack
    return lambda topic, index, a: pack(
        _ONE, topic_bytes + 1, topic, _ONE, index, 0, a.base_offset, a.log_append_time_ms, a.log_start_offset, 1
    )


def _append(
    broker: Broker,
    topic: ProduceRequest.TopicProduceData,
    asked: Asked,
    by_id: bool,
    acks: int,
    now_ms: int,
    result: Result,
) -> tuple[Partition, Appended] | None:
    """Append one partition's batches and fill in its result; gives what the answer must wait for, if anything."""
    partition = None
    try:
        replicas = broker.replicas
        partition = replicas.by_id(topic.topic_id, asked.index) if by_id else replicas.get(topic.name, asked.index)
        if acks not in (-1, 0, 1):
            raise KafkaError(errors.INVALID_REQUIRED_ACKS)
        if asked.records is None:
            raise NotOneBatch("a partition without records")
        assert isinstance(asked.records, memoryview)  # a view of the frame, which may be written to
        if _attributes(asked.records) & records.TRANSACTIONAL:
            _verify(broker, partition, asked.records, now_ms)
        appended = partition.append(asked.records, now_ms, acks)
    except KafkaError as error:
        _refuse(result, error, partition)
        return None
    _accept(result, appended)
    return (partition, appended) if must_wait(partition, appended, acks) else None


def _verify(broker: Broker, partition: Partition, batch: memoryview, now_ms: int) -> None:
    """Let a batch begin a transaction here if the transaction's coordinator knows of the partition. Raises NotVerified.

    Without a coordinator the answer is Kafka's while it cannot reach one: an error after which producers try again.
    """
    producer_id, epoch, sequence = records.HEADER.unpack_from(batch)[9:12]
    verification = partition.log.producers.begin_verification(producer_id, epoch, sequence, now_ms)
    if producer_id < 0 or verification is None or verification.is_verified:
        return
    if broker.settings.broker(broker.metadata.image, "transaction.partition.verification.enable"):
        raise NotVerified(errors.NOT_ENOUGH_REPLICAS, "the transaction cannot be verified: it has no coordinator here")
    verification.is_verified = True


def _refuse(result: Result, error: KafkaError, partition: Partition | None) -> None:
    """As in Kafka there are words only where single records or the form of the bytes are at fault.

    And there is a log start only where it was the log that has said no.
    """
    result.error_code = error.code
    if partition is not None and error.code not in _BEFORE_THE_LOG and not isinstance(error, NotOneBatch):
        result.log_start_offset = partition.log.log_start_offset
    if isinstance(error, NotVerified) or (isinstance(error, CorruptBatch) and error.stage == "batches"):
        result.error_message = error.message
    elif isinstance(error, InvalidRecords):
        result.error_message = error.message
        result.record_errors = [
            Result.BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=why)
            for index, why in error.record_errors
        ]


def _accept(result: Result, appended: Appended) -> None:
    result.base_offset = appended.base_offset
    result.log_append_time_ms = appended.log_append_time_ms
    result.log_start_offset = appended.log_start_offset


def _later(
    broker: Broker,
    context: RequestContext,
    acks: int,
    timeout_ms: int,
    topics: list[Topic],
    pending: list[tuple[Result, Partition, Appended]],
) -> Reply[Message | None]:
    waiting = PendingProduce(acks, lambda: _answer(acks, topics, broker, context))
    for result, partition, appended in pending:
        waiting.add(result, partition, appended)
    return waiting.begin(broker.clock, timeout_ms)


def _all_failed(request: ProduceRequest, code: int) -> list[Topic]:
    return [
        Topic(
            name=topic.name,
            topic_id=topic.topic_id,
            partition_responses=[Result(index=p.index, error_code=code, base_offset=-1) for p in topic.partition_data],
        )
        for topic in request.topic_data
    ]


def _answer(acks: int, topics: list[Topic], broker: Broker, context: RequestContext) -> ProduceResponse | None:
    if acks:
        answer = ProduceResponse(responses=topics)
        if context.api_version >= _LEADERS_SINCE:
            _tell_leaders(answer, broker, context.listener_name)
        return answer
    for topic in topics:
        for result in topic.partition_responses:
            if result.error_code:
                raise AcksZeroError(f"produce with acks=0 failed: {errors.name_of(result.error_code)}")
    return None


def _tell_leaders(answer: ProduceResponse, broker: Broker, listener_name: str) -> None:
    """Who has asked the wrong broker is told of the right one (KIP-951)."""
    nodes: dict[int, ProduceResponse.NodeEndpoint] = {}
    for topic in answer.responses:
        for result in topic.partition_responses:
            if result.error_code != errors.NOT_LEADER_OR_FOLLOWER:
                continue
            image = broker.replicas.image
            leader_id, leader_epoch = current_leader(image, topic.name or topic.topic_id, result.index)
            result.current_leader = Result.LeaderIdAndEpoch(leader_id=leader_id, leader_epoch=leader_epoch)
            address = address_of(image, leader_id, listener_name)
            if address is not None:
                nodes[leader_id] = ProduceResponse.NodeEndpoint(**address._asdict())
    answer.node_endpoints = list(nodes.values())
