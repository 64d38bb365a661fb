"""DeleteTopics v1-6: v3 says when deletion is disabled, v5 error messages, v6 by topic id (KIP-516).

The controller decides; this broker hands the request on to it, unless `delete.topic.enable` forbids it.
"""

from __future__ import annotations

from collections.abc import Awaitable

from klamm.kproto import errors
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from klamm.kproto.uuids import ZERO
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(
    broker: Broker, context: RequestContext, request: DeleteTopicsRequest
) -> DeleteTopicsResponse | Awaitable[DeleteTopicsResponse]:
    if broker.config.bool("delete.topic.enable"):
        return broker.metadata.delete_topics(request)
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
