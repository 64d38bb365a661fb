"""FindCoordinator v0-6: v1 transactions (KIP-98); v4 several keys at once (KIP-699); v6 share groups (KIP-932).

The first look-up of a kind creates its topic. Kafka answers COORDINATOR_NOT_AVAILABLE meanwhile and lets the client try
again; here the answer waits for the topic, which spares every first consumer a retry.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from typing import Final

from klamm.kproto import errors
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.server.broker import Broker
from klamm.server.coordinators.partitioner import partition_for
from klamm.server.request import RequestContext

Coordinator = FindCoordinatorResponse.Coordinator

_TOPICS: Final = {0: "__consumer_offsets", 1: "__transaction_state", 2: "__share_group_state"}
"""Key type -> the topic whose partition leaders are the coordinators."""
_GROUP: Final = 0
_SHARE: Final = 2
_SHARE_SINCE: Final = 6
_BATCH_SINCE: Final = 4
_SHARE_KEY: Final = re.compile(r".+:[A-Za-z0-9_-]{22}:\d+", re.DOTALL)
"""Group id, topic id and partition."""


def handle(
    broker: Broker, context: RequestContext, request: FindCoordinatorRequest
) -> FindCoordinatorResponse | Awaitable[FindCoordinatorResponse]:
    keys = request.coordinator_keys if context.api_version >= _BATCH_SINCE else [request.key]
    topic = _TOPICS.get(request.key_type)
    if topic is None:
        message = f"No coordinator type has the number {request.key_type}."
        return _answer(context, [_none(key, errors.INVALID_REQUEST, message) for key in keys])
    if request.key_type == _SHARE and context.api_version < _SHARE_SINCE:
        return _answer(context, [_none(key, errors.INVALID_REQUEST) for key in keys])
    if keys and topic not in broker.metadata.image.topics.by_name:
        return _create_first(broker, context, request.key_type, topic, keys)
    return _answer(context, _find_all(broker, context, request.key_type, topic, keys))


async def _create_first(
    broker: Broker, context: RequestContext, key_type: int, topic: str, keys: list[str]
) -> FindCoordinatorResponse:
    await broker.topics.ensure_internal_topic(topic)
    return _answer(context, _find_all(broker, context, key_type, topic, keys))


def _find_all(broker: Broker, context: RequestContext, key_type: int, topic: str, keys: list[str]) -> list[Coordinator]:
    image, listener = broker.metadata.image, context.listener_name
    partitions = _partitions_of(image, topic)
    found = []
    for key in keys:
        if key_type == _SHARE and not _SHARE_KEY.fullmatch(key):
            found.append(_none(key, errors.INVALID_REQUEST))
        elif not partitions:
            found.append(_none(key, errors.COORDINATOR_NOT_AVAILABLE))
        else:
            # Groups keep the partition that the coordinator looks for them in, should the topic have grown since.
            index = broker.groups.partition_for(key) if key_type == _GROUP else partition_for(key, len(partitions))
            found.append(_leader(image, listener, partitions.get(index), key))
    return found


def _partitions_of(image: MetadataImage, topic: str) -> Mapping[int, PartitionRegistration]:
    known = image.topics.by_name.get(topic)
    return {} if known is None else known.partitions


def _leader(image: MetadataImage, listener_name: str, partition: PartitionRegistration | None, key: str) -> Coordinator:
    leader = None if partition is None else image.cluster.brokers.get(partition.leader)
    if leader is None or leader.fenced or listener_name not in leader.listeners:
        return _none(key, errors.COORDINATOR_NOT_AVAILABLE)
    endpoint = leader.listeners[listener_name]
    return Coordinator(
        key=key, node_id=leader.broker_id, host=endpoint.host, port=endpoint.port, error_code=errors.NONE
    )


def _none(key: str, code: int, message: str = "") -> Coordinator:
    return Coordinator(key=key, node_id=-1, host="", port=-1, error_code=code, error_message=message)


def _answer(context: RequestContext, found: list[Coordinator]) -> FindCoordinatorResponse:
    if context.api_version >= _BATCH_SINCE:
        return FindCoordinatorResponse(coordinators=found)
    one = found[0]
    message = (one.error_message or errors.info(one.error_code).message) if one.error_code else "NONE"
    return FindCoordinatorResponse(
        error_code=one.error_code, error_message=message, node_id=one.node_id, host=one.host, port=one.port
    )
