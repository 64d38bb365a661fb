"""DescribeGroups v0-6: v3 authorized operations (KIP-430); v4 instance ids (KIP-345); v6 GROUP_ID_NOT_FOUND (KIP-1043).

Before version 6 a group that does not exist looks like a dead one.
"""

from __future__ import annotations

from klamm.kproto.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from klamm.server import authorized
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer, chain
from klamm.server.request import RequestContext

DescribedGroup = DescribeGroupsResponse.DescribedGroup


def handle(broker: Broker, context: RequestContext, request: DescribeGroupsRequest) -> Answer[DescribeGroupsResponse]:
    def answered(groups: list[DescribedGroup]) -> DescribeGroupsResponse:
        if request.include_authorized_operations:
            for group in groups:
                if not group.error_code:
                    group.authorized_operations = authorized.GROUP
        return DescribeGroupsResponse(groups=groups)

    return chain(broker.groups.describe_groups(context, request.groups), answered)
