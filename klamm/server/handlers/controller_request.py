"""Requests that the active controller alone decides on, as they come to a controller's listener."""

from __future__ import annotations

import asyncio

from klamm.kproto.schema import Message
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: Message) -> Message | asyncio.Future[Message]:
    return broker.metadata.submit(request)
