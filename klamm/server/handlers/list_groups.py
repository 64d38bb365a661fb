"""ListGroups v0-5: v4 filter by state (KIP-518); v5 group types and a filter by them (KIP-848)."""

from __future__ import annotations

from klamm.kproto.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: ListGroupsRequest) -> Answer[ListGroupsResponse]:
    return broker.groups.list_groups(request.states_filter, request.types_filter)
