"""JoinGroup v0-9: v1 rebalance timeout; v4 a first join gets MEMBER_ID_REQUIRED (KIP-394); v5 static members (KIP-345).

v7 protocol type, and a protocol name that may be null (KIP-559); v8 the client's reason (KIP-800); v9 skip_assignment
(KIP-814).
"""

from __future__ import annotations

from klamm.kproto.messages.join_group import JoinGroupRequest, JoinGroupResponse
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer, chain
from klamm.server.request import RequestContext

_NULL_PROTOCOL_NAME_SINCE = 7


def handle(broker: Broker, context: RequestContext, request: JoinGroupRequest) -> Answer[JoinGroupResponse]:
    answer = broker.groups.join(context, request)
    return answer if context.api_version >= _NULL_PROTOCOL_NAME_SINCE else chain(answer, _without_null)


def _without_null(response: JoinGroupResponse) -> JoinGroupResponse:
    if response.protocol_name is None:
        response.protocol_name = ""
    return response
