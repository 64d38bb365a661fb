"""DeleteTopics v1-6: v3 says when deletion is disabled, v5 error messages, v6 by topic id (KIP-516).

The active controller decides, unless its `delete.topic.enable` forbids it.
"""

from __future__ import annotations

import asyncio

from klamm.kproto import errors
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from klamm.kproto.schema import Message
from klamm.kproto.uuids import ZERO
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: DeleteTopicsRequest) -> Message | asyncio.Future[Message]:
    if broker.config.bool("delete.topic.enable"):
        return broker.metadata.submit(request)
    code = errors.TOPIC_DELETION_DISABLED if context.api_version >= 3 else errors.INVALID_REQUEST
    asked = [(topic.name, topic.topic_id) for topic in request.topics]
    asked += [(name, ZERO) for name in request.topic_names]
    return DeleteTopicsResponse(
        responses=[
            DeleteTopicsResponse.DeletableTopicResult(
                name=name, topic_id=topic_id, error_code=code, error_message=errors.info(code).message
            )
            for name, topic_id in asked
        ]
    )
