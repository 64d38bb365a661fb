"""What the replicas of the metadata quorum ask each other, and what tools ask about its voters: KIP-595, 630, 853, 996.

Fetch is among it: on a controller's listener there is one log to fetch. Where the leader can be reached is told from
the versions on that have a place for it.
"""

from __future__ import annotations

from typing import Any, Final

from klamm.kproto import apis
from klamm.kproto.schema import Message
from klamm.reply import Reply
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

_ENDPOINTS_SINCE: Final = {
    apis.VOTE: 1,
    apis.BEGIN_QUORUM_EPOCH: 1,
    apis.END_QUORUM_EPOCH: 1,
    apis.FETCH_SNAPSHOT: 1,
    apis.FETCH: 17,
}
"""API -> the first version whose answer has the leader's address (KIP-853; Fetch has had a place for it since 16)."""


def handle(broker: Broker, context: RequestContext, request: Message) -> Reply[Message]:
    answer = broker.metadata.quorum_request(request, context.listener_name)
    if context.api_version >= _ENDPOINTS_SINCE.get(context.api_key, 0):
        return answer
    older: Reply[Message] = Reply()

    def resolved(response: Any) -> None:
        if getattr(response, "node_endpoints", None):
            response.node_endpoints = []
        older.resolve(response)

    answer.then(resolved)
    return older
