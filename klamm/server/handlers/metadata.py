"""Metadata v0-13: brokers, topics and who leads what; creates topics that are asked for by name, if that is allowed.

v0 takes an empty list for all topics, v1 null; v4 may forbid auto-creation; v5 offline replicas; v7 leader epochs
(KIP-320); v8 authorized operations (KIP-430); v10 topic ids, v12 look-up by them (KIP-516); v13
REBOOTSTRAP_REQUIRED (KIP-1102).

What a topic looks like is encoded once per version and listener and kept until the topic or the brokers change.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Iterable
from typing import Any

from klamm.kproto import errors
from klamm.kproto.codec import encode_struct
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.kproto.uuids import ZERO
from klamm.metadata.controller.topic_names import invalid_name_reason
from klamm.metadata.image.cluster import ClusterImage
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.metadata.image.topics import TopicImage
from klamm.server import authorized
from klamm.server.broker import Broker
from klamm.server.request import RequestContext
from klamm.server.topic_listing import (
    INTERNAL_TOPICS,
    broker_addresses,
    controller_for_clients,
    leader_error,
    offline_replicas,
    on_listener,
)

Topic = MetadataResponse.MetadataResponseTopic
Partition = Topic.MetadataResponsePartition
Asked = MetadataRequest.MetadataRequestTopic

_Key = tuple[str, int, str, bool]
_cache: dict[_Key, tuple[TopicImage, ClusterImage, bytes]] = {}
_CACHE_TOPICS_MAX = 20000
_SHOWN = slice(PartitionRegistration._fields.index("partition_epoch"))
"""What the bytes of a partition are made of; clients do not see the partition epoch and the ELR behind it."""
_INDEX = struct.Struct(">i").pack
_INDEX_AT = 2  # behind the error code, in every version


def handle(
    broker: Broker, context: RequestContext, request: MetadataRequest
) -> MetadataResponse | Awaitable[MetadataResponse]:
    asked = request.topics
    if asked is None or (context.api_version == 0 and not asked):
        return _answer(broker, context, request, [], everything=True)
    if context.api_version < 12 and any(t.name is None or t.topic_id != ZERO for t in asked):
        failed = [
            Topic(error_code=errors.INVALID_REQUEST, name=t.name or "", topic_id=t.topic_id, partitions=[])
            for t in asked
        ]
        return MetadataResponse(brokers=[], topics=failed)
    missing = _to_create(broker, request, asked)
    if missing:
        return _create_first(broker, context, request, asked, missing)
    return _answer(broker, context, request, asked)


def _to_create(broker: Broker, request: MetadataRequest, asked: list[Asked]) -> list[str]:
    """The names that are asked for, do not exist and may be created."""
    if not request.allow_auto_topic_creation or not broker.topics.auto_create:
        return []
    known = broker.metadata.image.topics.by_name
    names = [t.name for t in asked if t.name is not None and t.name not in known]
    return [name for name in dict.fromkeys(names) if invalid_name_reason(name) is None]


async def _create_first(
    broker: Broker, context: RequestContext, request: MetadataRequest, asked: list[Asked], missing: list[str]
) -> MetadataResponse:
    failed = await broker.topics.create(missing)
    return _answer(broker, context, request, asked, failed=failed)


def _answer(
    broker: Broker,
    context: RequestContext,
    request: MetadataRequest,
    asked: list[Asked],
    everything: bool = False,
    failed: dict[str, int] | None = None,
) -> MetadataResponse:
    image = broker.metadata.image
    cluster, version, listener = image.cluster, context.api_version, context.listener_name
    operations = request.include_topic_authorized_operations
    found: Iterable[TopicImage | Topic]
    if everything:
        found = image.topics.by_name.values()
    else:
        # One topic id, and names count no more. Each topic once, however often it is asked for.
        asked = [a for a in asked if a.topic_id != ZERO] or asked
        found = {_identity(topic): topic for topic in (_find(image, a, failed or {}) for a in asked)}.values()
        if operations:
            for topic in found:
                if isinstance(topic, Topic) and topic.error_code != errors.UNKNOWN_TOPIC_ID:
                    topic.topic_authorized_operations = authorized.TOPIC
    topics: list[Any] = [  # Topic, or the bytes of one
        _encoded(topic, cluster, version, listener, operations) if isinstance(topic, TopicImage) else topic
        for topic in found
    ]
    response = MetadataResponse(
        brokers=[
            MetadataResponse.MetadataResponseBroker(node_id=b.broker_id, host=b.host, port=b.port, rack=b.rack)
            for b in broker_addresses(cluster, listener)
        ],
        cluster_id=broker.cluster_id,
        controller_id=controller_for_clients(cluster, listener, broker.metadata.controller_id, broker.node_id),
        topics=topics,
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = authorized.CLUSTER
    return response


def _find(image: MetadataImage, asked: Asked, failed: dict[str, int]) -> TopicImage | Topic:
    name = asked.name
    if name is None or asked.topic_id != ZERO:
        topic = image.topics.by_id.get(asked.topic_id)
        if topic is not None:
            return topic
        return Topic(error_code=errors.UNKNOWN_TOPIC_ID, name=None, topic_id=asked.topic_id, partitions=[])
    topic = image.topics.by_name.get(name)
    if topic is not None:
        return topic
    code = failed.get(name, errors.UNKNOWN_TOPIC_OR_PARTITION)
    if invalid_name_reason(name) is not None:
        code = errors.INVALID_TOPIC_EXCEPTION
    return Topic(error_code=code, name=name, is_internal=name in INTERNAL_TOPICS, partitions=[])


def _identity(found: TopicImage | Topic) -> tuple[str | None, bytes]:
    return found.name, found.topic_id


def _encoded(topic: TopicImage, cluster: ClusterImage, version: int, listener: str, operations: bool) -> bytes:
    key = (topic.name, version, listener, operations)
    cached = _cache.get(key)
    if cached is not None and cached[0] is topic and cached[1] is cluster:
        return cached[2]
    if len(_cache) >= _CACHE_TOPICS_MAX:
        _cache.clear()
    data = encode_struct(MetadataResponse, _describe(topic, cluster, version, listener, operations), version)
    _cache[key] = topic, cluster, data
    return data


def _describe(topic: TopicImage, cluster: ClusterImage, version: int, listener: str, operations: bool) -> Topic:
    described = Topic(
        error_code=0,
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.name in INTERNAL_TOPICS,
        partitions=[],
    )
    if operations:
        described.topic_authorized_operations = authorized.TOPIC
    described.partitions = _encode_partitions(topic, cluster, version, listener)
    return described


def _encode_partitions(topic: TopicImage, cluster: ClusterImage, version: int, listener: str) -> list[Any]:
    """The bytes of each partition, in order.

    Many partitions of a topic differ only in their index: then so do their bytes.
    """
    encoded: list[Any] = []
    known: dict[object, tuple[bytes, bytes]] = {}
    for index, partition in sorted(topic.partitions.items()):
        shown = partition[_SHOWN]
        pieces = known.get(shown)
        if pieces is None:
            data = encode_struct(MetadataResponse, _partition(partition, cluster, version, listener), version)
            pieces = known[shown] = data[:_INDEX_AT], data[_INDEX_AT + 4 :]
        encoded.append(pieces[0] + _INDEX(index) + pieces[1])
    return encoded


def _partition(partition: PartitionRegistration, cluster: ClusterImage, version: int, listener: str) -> Partition:
    code = leader_error(cluster, partition, listener)
    if code == errors.LISTENER_NOT_FOUND and version < 6:
        code = errors.LEADER_NOT_AVAILABLE
    leader_id = -1 if code else partition.leader
    replicas, isr = list(partition.replicas), list(partition.isr)
    if version == 0:
        # Clients of that age take only nodes that are among the brokers; they are told that some are missing.
        alive, alive_isr = on_listener(cluster, replicas, listener), on_listener(cluster, isr, listener)
        if not code and (len(alive) < len(replicas) or len(alive_isr) < len(isr)):
            code = errors.REPLICA_NOT_AVAILABLE
        replicas, isr = alive, alive_isr
    return Partition(
        error_code=code,
        partition_index=0,
        leader_id=leader_id,
        leader_epoch=partition.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=isr,
        offline_replicas=offline_replicas(cluster, partition),
    )
