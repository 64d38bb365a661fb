"""SyncGroup v0-5: v3 static members (KIP-345); v5 protocol type and name, which are then mandatory (KIP-559)."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer
from klamm.server.coordinators.classic_protocol import sync_error
from klamm.server.request import RequestContext

_PROTOCOL_MANDATORY_SINCE = 5


def handle(broker: Broker, context: RequestContext, request: SyncGroupRequest) -> Answer[SyncGroupResponse]:
    if context.api_version >= _PROTOCOL_MANDATORY_SINCE and None in (request.protocol_type, request.protocol_name):
        return sync_error(errors.INCONSISTENT_GROUP_PROTOCOL)
    return broker.groups.sync(request)
