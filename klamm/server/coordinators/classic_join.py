"""JoinGroup: who may enter a classic group, under which member id, and whether that makes a rebalance.

Answers name errors in Kafka's order: size of the group, protocols, then the member's identity.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Final

from klamm.kproto import errors
from klamm.kproto.messages.join_group import JoinGroupRequest, JoinGroupResponse
from klamm.log.machine import Decision
from klamm.seams import Entropy
from klamm.server.coordinators.classic_group import (
    COMPLETING_REBALANCE,
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    ClassicGroup,
    ClassicMember,
    Protocols,
    join_error,
)
from klamm.server.coordinators.classic_rebalance import ClassicRebalance, Groups, joined
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_records import group_record
from klamm.server.coordinators.group_settings import GroupSettings
from klamm.server.coordinators.turn import Turn
from klamm.server.request import RequestContext

JoinAnswer = JoinGroupResponse | asyncio.Future[JoinGroupResponse]
JoinDecision = Decision[JoinGroupResponse, CoordinatorRecord]

_MEMBER_ID_REQUIRED_SINCE: Final = 4  # KIP-394
_SKIP_ASSIGNMENT_SINCE: Final = 9  # KIP-814


def protocols_of(request: JoinGroupRequest) -> Protocols:
    """By name, in order of preference; of a repeated name the first counts."""
    found: dict[str, bytes] = {}
    for protocol in request.protocols:
        found.setdefault(protocol.name, protocol.metadata)
    return found


class ClassicJoin:
    """The JoinGroup command of one machine."""

    def __init__(self, groups: Groups, rebalance: ClassicRebalance, settings: GroupSettings, entropy: Entropy) -> None:
        self._groups, self._rebalance, self._settings, self._entropy = groups, rebalance, settings, entropy

    def join(self, context: RequestContext, request: JoinGroupRequest) -> JoinDecision:
        """Join a group that exists; one that a new member may found has been created before.

        The answer is a future while the group waits for its other members.
        """
        turn = Turn()
        group = self._groups.get(request.group_id)
        if group is None:
            return turn.decide(join_error(errors.UNKNOWN_MEMBER_ID, request.member_id))
        if not self._has_room(group, request.member_id):
            group.remove(request.member_id)
            return turn.decide(join_error(errors.GROUP_MAX_SIZE_REACHED, ""))
        protocols = protocols_of(request)
        if group.state is DEAD:
            return turn.decide(join_error(errors.COORDINATOR_NOT_AVAILABLE, request.member_id))
        if not group.supports(request.protocol_type, protocols):
            return turn.decide(join_error(errors.INCONSISTENT_GROUP_PROTOCOL, request.member_id))
        if request.member_id:
            return turn.decide(self._join_again(turn, context, request, group, protocols))
        return turn.decide(self._join_new(turn, context, request, group, protocols))

    def _has_room(self, group: ClassicGroup, member_id: str) -> bool:
        """Whether group.max.size lets the member in; during the join phase those count who have joined already."""
        member = group.members.get(member_id)
        if group.state is PREPARING_REBALANCE:
            waits = member is not None and member.awaiting_join is not None
            return waits or group.awaiting_join_count < self._settings.max_size
        if group.state in (COMPLETING_REBALANCE, STABLE):
            return member is not None or len(group.members) < self._settings.max_size
        return True

    def _join_new(
        self, turn: Turn, context: RequestContext, request: JoinGroupRequest, group: ClassicGroup, protocols: Protocols
    ) -> JoinAnswer:
        instance_id = request.group_instance_id
        prefix = (context.client_id or "") if instance_id is None else instance_id
        member_id = f"{prefix}-{uuid.UUID(bytes=self._entropy.uuid())}"
        if instance_id is not None:
            if instance_id in group.static_members:
                return self._replace_static(turn, context, request, group, member_id, protocols)
        elif context.api_version >= _MEMBER_ID_REQUIRED_SINCE:
            group.pending_join.add(member_id)
            self._rebalance.expect(turn, group.group_id, member_id, request.session_timeout_ms)
            return join_error(errors.MEMBER_ID_REQUIRED, member_id)
        return self._add(turn, context, request, group, member_id, protocols)

    def _join_again(
        self, turn: Turn, context: RequestContext, request: JoinGroupRequest, group: ClassicGroup, protocols: Protocols
    ) -> JoinAnswer:
        member_id = request.member_id
        if member_id in group.pending_join:
            if request.group_instance_id is not None:
                # Ids are given out to dynamic members only; Kafka fails on an internal check here.
                return join_error(errors.UNKNOWN_SERVER_ERROR, "")
            return self._add(turn, context, request, group, member_id, protocols)
        if code := group.check_member(member_id, request.group_instance_id):
            return join_error(code, member_id)
        member = group.members[member_id]
        if group.state is EMPTY:
            return join_error(errors.UNKNOWN_MEMBER_ID, member_id)
        # Nothing changed: a repeated join, or a follower that only looks; the leader's join is how it asks for a
        # rebalance, for reasons that are not in its metadata.
        if member.has_protocols(protocols) and (
            group.state is COMPLETING_REBALANCE or (group.state is STABLE and group.leader_id != member_id)
        ):
            return joined(group, member_id)
        reason = f"member {member_id} joins during {group.state.value}; its reason: {_reason(request)}"
        answer = self._update(request, member, protocols)
        self._rebalance.prepare_or_complete(turn, group, reason)
        return answer

    def _add(
        self,
        turn: Turn,
        context: RequestContext,
        request: JoinGroupRequest,
        group: ClassicGroup,
        member_id: str,
        protocols: Protocols,
    ) -> JoinAnswer:
        member = ClassicMember(
            member_id,
            request.group_instance_id,
            context.client_id or "",
            f"/{context.client_host}",  # the way Java shows an address, and tools expect it
            _rebalance_timeout_ms(request),
            request.session_timeout_ms,
            request.protocol_type,
            protocols,
        )
        member.is_new = True
        member.awaiting_join = answer = _new_future()
        if group.state is PREPARING_REBALANCE and group.previous_state is EMPTY:
            group.new_member_added = True
        group.add(member)
        # It has no member id to send heartbeats with yet, and its client may be gone and have asked anew.
        self._rebalance.expect(turn, group.group_id, member_id, self._settings.new_member_join_timeout_ms)
        self._rebalance.prepare_or_complete(
            turn, group, f"new member {member_id}, instance {request.group_instance_id}; its reason: {_reason(request)}"
        )
        return answer

    def _update(
        self, request: JoinGroupRequest, member: ClassicMember, protocols: Protocols
    ) -> asyncio.Future[JoinGroupResponse]:
        member.protocols = protocols
        member.rebalance_timeout_ms = _rebalance_timeout_ms(request)
        member.session_timeout_ms = request.session_timeout_ms
        if member.awaiting_join is None:
            member.awaiting_join = _new_future()
        return member.awaiting_join

    def _replace_static(
        self,
        turn: Turn,
        context: RequestContext,
        request: JoinGroupRequest,
        group: ClassicGroup,
        member_id: str,
        protocols: Protocols,
    ) -> JoinAnswer:
        """A static member came back without its member id (KIP-345): it takes its old place.

        In a stable group whose protocol stays the same nothing is rebalanced; the new id is only written down.
        """
        instance_id = request.group_instance_id
        assert instance_id is not None
        old_id = group.static_members[instance_id]
        leader_before = group.leader_id
        old = group.members[old_id]
        member = group.replace_static(instance_id, member_id)
        self._rebalance.keep_alive(turn, group, member)
        answer = self._update(request, member, protocols)
        reason = f"static member {instance_id} came back as {member_id}; its reason: {_reason(request)}"
        if group.state is COMPLETING_REBALANCE:
            # The leader may be assigning to the old member id by now.
            self._rebalance.prepare(turn, group, reason)
        elif group.state is not STABLE:
            self._rebalance.maybe_complete_join(turn, group)
        elif group.select_protocol() != group.protocol_name:
            self._rebalance.prepare_or_complete(turn, group, f"{reason}; the protocol changes")
        else:
            turn.records.append(group_record(group, {m.member_id: m.assignment for m in group.members.values()}))
            turn.settled = self._static_settled(context.api_version, group, old, member, leader_before, answer)
        return answer

    def _static_settled(
        self,
        api_version: int,
        group: ClassicGroup,
        old: ClassicMember,
        new: ClassicMember,
        leader_before: str | None,
        answer: asyncio.Future[JoinGroupResponse],
    ) -> Callable[[int], Decision[None, CoordinatorRecord] | None]:
        """What follows once a static member's new id is written down, or could not be."""

        def settled(code: int) -> Decision[None, CoordinatorRecord] | None:
            if code:
                turn = Turn()
                assert old.group_instance_id is not None
                new.awaiting_join = None
                group.replace_static(old.group_instance_id, old.member_id)
                group.members[old.member_id] = old
                self._rebalance.keep_alive(turn, group, old)
                if not answer.done():
                    answer.set_result(join_error(code, ""))
                return turn.decide(None)
            if group.state is not STABLE or group.members.get(new.member_id) is not new:
                return None  # answered by the rebalance that has begun
            new.awaiting_join = None
            if not answer.done():
                response = joined(group, new.member_id)
                if api_version >= _SKIP_ASSIGNMENT_SINCE:
                    response.skip_assignment = group.leader_id == new.member_id
                else:
                    # An old client that is told it leads would assign anew, without a rebalance of the others.
                    response.leader, response.members = leader_before or "", []
                answer.set_result(response)
            return None

        return settled


def _rebalance_timeout_ms(request: JoinGroupRequest) -> int:
    """Version 0 has none: the session's timeout stands for it."""
    return request.session_timeout_ms if request.rebalance_timeout_ms == -1 else request.rebalance_timeout_ms


def _reason(request: JoinGroupRequest) -> str:
    return request.reason or "not provided"


def _new_future() -> asyncio.Future[JoinGroupResponse]:
    return asyncio.get_running_loop().create_future()
