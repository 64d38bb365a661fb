"""LeaveGroup v0-5: v3 several members, static ones by instance id (KIP-345); v5 reasons (KIP-800)."""

from __future__ import annotations

from klamm.kproto.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer, chain
from klamm.server.request import RequestContext

_BATCH_SINCE = 3


def handle(broker: Broker, context: RequestContext, request: LeaveGroupRequest) -> Answer[LeaveGroupResponse]:
    if context.api_version >= _BATCH_SINCE:
        return broker.groups.leave(request)
    request.members = [LeaveGroupRequest.MemberIdentity(member_id=request.member_id)]
    return chain(broker.groups.leave(request), _of_one_member)


def _of_one_member(response: LeaveGroupResponse) -> LeaveGroupResponse:
    """Before version 3 the one member's error is the response's."""
    code = response.error_code or next((m.error_code for m in response.members), 0)
    return LeaveGroupResponse(error_code=code)
