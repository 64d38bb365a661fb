"""What the replicas of the metadata quorum ask each other, and what tools ask about its voters: KIP-595, 630, 853, 996.

Fetch is among it: on a controller's listener there is one log to fetch.
"""

from __future__ import annotations

from klamm.kproto.schema import Message
from klamm.reply import Reply
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: Message) -> Reply[Message]:
    return broker.metadata.quorum_request(request, context.listener_name)
