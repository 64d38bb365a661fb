"""Heartbeat v0-4: v3 static members (KIP-345)."""

from __future__ import annotations

from klamm.kproto.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: HeartbeatRequest) -> Answer[HeartbeatResponse]:
    return broker.groups.heartbeat(request)
