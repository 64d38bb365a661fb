"""DeleteGroups v0-2 (KIP-229): groups without members, with all of their offsets."""

from __future__ import annotations

from klamm.kproto.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer, chain
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: DeleteGroupsRequest) -> Answer[DeleteGroupsResponse]:
    return chain(
        broker.groups.delete_groups(request.groups_names),
        lambda results: DeleteGroupsResponse(throttle_time_ms=0, results=results),
    )
