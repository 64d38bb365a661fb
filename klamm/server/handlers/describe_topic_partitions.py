"""DescribeTopicPartitions v0 (KIP-966): topics with their eligible leader replicas, a page at a time.

Topics come in the order of their names. `cursor` says where the page starts, `next_cursor` where the next one does.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
)
from klamm.metadata.controller.topic_names import invalid_name_reason
from klamm.metadata.image.cluster import ClusterImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.server import authorized
from klamm.server.broker import Broker
from klamm.server.request import RequestContext
from klamm.server.topic_listing import INTERNAL_TOPICS, leader_error, offline_replicas

Topic = DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic
Partition = Topic.DescribeTopicPartitionsResponsePartition


def handle(
    broker: Broker, context: RequestContext, request: DescribeTopicPartitionsRequest
) -> DescribeTopicPartitionsResponse:
    cursor = request.cursor
    asked = {t.name for t in request.topics}
    if cursor is not None and (cursor.partition_index < 0 or (asked and cursor.topic_name not in asked)):
        return _refuse(request, errors.INVALID_REQUEST)
    image = broker.metadata.image
    by_name = image.topics.by_name
    names = sorted(asked or by_name)
    start = cursor.partition_index if cursor is not None else 0
    if cursor is not None:
        names = [name for name in names if name >= cursor.topic_name]
        if not names or names[0] != cursor.topic_name:
            start = 0
    page_max = broker.config.int("max.request.partition.size.limit")
    left = max(1, min(page_max, request.response_partition_limit))
    response = DescribeTopicPartitionsResponse(topics=[])
    for name in names:
        if not left:
            response.next_cursor = DescribeTopicPartitionsResponse.Cursor(topic_name=name, partition_index=0)
            break
        topic = by_name.get(name)
        first, start = start, 0
        if topic is None:
            known = invalid_name_reason(name) is None
            code = errors.UNKNOWN_TOPIC_OR_PARTITION if known else errors.INVALID_TOPIC_EXCEPTION
            response.topics.append(
                Topic(error_code=code, name=name, partitions=[], topic_authorized_operations=authorized.TOPIC)
            )
            continue
        indexes = [i for i in sorted(topic.partitions) if i >= first]
        described = Topic(
            error_code=errors.NONE,
            name=name,
            topic_id=topic.topic_id,
            is_internal=name in INTERNAL_TOPICS,
            partitions=[
                _partition(image.cluster, i, topic.partitions[i], context.listener_name) for i in indexes[:left]
            ],
            topic_authorized_operations=authorized.TOPIC,
        )
        response.topics.append(described)
        if len(indexes) > left:
            cut = DescribeTopicPartitionsResponse.Cursor(topic_name=name, partition_index=indexes[left])
            response.next_cursor = cut
            break
        left -= len(indexes)
    return response


def _refuse(request: DescribeTopicPartitionsRequest, code: int) -> DescribeTopicPartitionsResponse:
    """The error of the whole request: the response has no place for it but its topics."""
    return DescribeTopicPartitionsResponse(
        topics=[Topic(error_code=code, name=t.name, partitions=[]) for t in request.topics]
    )


def _partition(cluster: ClusterImage, index: int, partition: PartitionRegistration, listener_name: str) -> Partition:
    # That nobody leads is no error here, other than in Metadata.
    return Partition(
        error_code=errors.NONE,
        partition_index=index,
        leader_id=-1 if leader_error(cluster, partition, listener_name) else partition.leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        eligible_leader_replicas=list(partition.elr),
        last_known_elr=list(partition.last_known_elr),
        offline_replicas=offline_replicas(cluster, partition),
    )
