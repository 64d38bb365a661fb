"""DescribeTopicPartitions v0 (KIP-966): topics with their eligible leader replicas, a page at a time.

Topics come in the order of their names. `cursor` says where the page starts, `next_cursor` where the next one does.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
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
    if cursor is not None and cursor.partition_index < 0:
        raise KafkaError(errors.INVALID_REQUEST, "the cursor's partition index is negative")
    image = broker.metadata.image
    by_name = image.topics.by_name
    names = sorted({t.name for t in request.topics}) if request.topics else sorted(by_name)
    start = cursor.partition_index if cursor is not None else 0
    if cursor is not None:
        names = [name for name in names if name >= cursor.topic_name]
        if not names or names[0] != cursor.topic_name:
            start = 0
    page_max = broker.config.int("max.request.partition.size.limit")
    left = min(page_max, request.response_partition_limit) if request.response_partition_limit > 0 else page_max
    response = DescribeTopicPartitionsResponse(topics=[])
    for name in names:
        topic = by_name.get(name)
        if topic is None:
            known = invalid_name_reason(name) is None
            code = errors.UNKNOWN_TOPIC_OR_PARTITION if known else errors.INVALID_TOPIC_EXCEPTION
            response.topics.append(Topic(error_code=code, name=name, partitions=[]))
            continue
        indexes = [i for i in sorted(topic.partitions) if i >= start]
        start = 0
        if not left:
            response.next_cursor = DescribeTopicPartitionsResponse.Cursor(topic_name=name, partition_index=indexes[0])
            break
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


def _partition(cluster: ClusterImage, index: int, partition: PartitionRegistration, listener_name: str) -> Partition:
    code = leader_error(cluster, partition, listener_name)
    return Partition(
        error_code=code,
        partition_index=index,
        leader_id=-1 if code else partition.leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        eligible_leader_replicas=list(partition.elr),
        last_known_elr=list(partition.last_known_elr),
        offline_replicas=offline_replicas(cluster, partition),
    )
