"""ListOffsets v1-11: offsets by timestamp, and the special ones.

v2 isolation level (KIP-98), v4 leader epochs (KIP-320), v7 max timestamp (KIP-734), v8 local log start (KIP-405),
v9 last tiered offset (KIP-1005), v10 a timeout for remote look-ups (KIP-1075), v11 earliest pending upload
(KIP-1023).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from klamm.log import timestamps
from klamm.server.broker import Broker
from klamm.server.partition import Partition
from klamm.server.request import RequestContext

_CONSUMER: Final = -1
LATEST: Final = -1
EARLIEST: Final = -2
MAX_TIMESTAMP: Final = -3
EARLIEST_LOCAL: Final = -4
LATEST_TIERED: Final = -5
EARLIEST_PENDING_UPLOAD: Final = -6
_SINCE: Final = {MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}

Topic = ListOffsetsResponse.ListOffsetsTopicResponse
Result = Topic.ListOffsetsPartitionResponse


def handle(broker: Broker, context: RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse:
    if request.isolation_level not in (0, 1):
        return refuse(request, errors.UNKNOWN_SERVER_ERROR)
    count = Counter((topic.name, asked.partition_index) for topic in request.topics for asked in topic.partitions)
    topics: dict[str, dict[int, Result]] = {}
    for topic in request.topics:
        for asked in topic.partitions:
            results = topics.setdefault(topic.name, {})
            result = results[asked.partition_index] = Result(partition_index=asked.partition_index, error_code=0)
            try:
                if count[topic.name, asked.partition_index] > 1:
                    raise KafkaError(errors.INVALID_REQUEST, "a partition that is asked for twice")
                if context.api_version < _SINCE.get(asked.timestamp, 0) or asked.timestamp < EARLIEST_PENDING_UPLOAD:
                    raise KafkaError(errors.UNSUPPORTED_VERSION)
                epoch = asked.current_leader_epoch
                partition = broker.replicas.at_epoch(topic.name, asked.partition_index, epoch)
                end = _visible_end(partition, request)
                found = _look_up(partition, asked.timestamp, end, context.api_version)
                result.timestamp, result.offset = found[:2]
                if context.api_version >= 4:
                    result.leader_epoch = found[2]
            except KafkaError as error:
                result.error_code = error.code
    return ListOffsetsResponse(
        topics=[Topic(name=name, partitions=list(results.values())) for name, results in topics.items()]
    )


def refuse(request: ListOffsetsRequest, code: int) -> ListOffsetsResponse:
    """Every partition failed alike. Kafka has no better error for an isolation level that does not exist."""
    return ListOffsetsResponse(
        topics=[
            Topic(
                name=topic.name,
                partitions=[Result(partition_index=p.partition_index, error_code=code) for p in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _visible_end(partition: Partition, request: ListOffsetsRequest) -> int:
    """What the latest offset is for consumers by their isolation level, for followers and debuggers the log's end."""
    if request.replica_id != _CONSUMER:
        return partition.log.log_end_offset
    return partition.visible_end(request.isolation_level)


def _look_up(partition: Partition, timestamp: int, end: int, version: int) -> tuple[int, int, int]:
    """(timestamp, offset, leader epoch) of what a timestamp stands for; -1 each where there is nothing.

    Without tiered storage the local log start is the log start, and nothing is tiered or waits to be. Raises KafkaError
    while a new leader does not know what of the older epochs is committed: it could name an offset that goes back.
    """
    log = partition.log
    if timestamp == LATEST:
        if partition.is_behind_its_epoch(end):
            raise _not_available(version)
        return -1, end, partition.leader_epoch
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        return -1, log.log_start_offset, log.epochs.epoch_for(log.log_start_offset)
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return -1, -1, -1
    found = (
        timestamps.max_timestamp(log) if timestamp == MAX_TIMESTAMP else timestamps.offset_for_timestamp(log, timestamp)
    )
    if found is None or found.offset >= end:
        if found is not None and partition.is_behind_its_epoch(end):
            raise _not_available(version)
        return -1, -1, -1
    return found.timestamp, found.offset, found.leader_epoch


def _not_available(version: int) -> KafkaError:
    """KIP-207."""
    return KafkaError(errors.OFFSET_NOT_AVAILABLE if version >= 5 else errors.LEADER_NOT_AVAILABLE)
