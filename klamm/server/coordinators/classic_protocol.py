"""SyncGroup, Heartbeat and LeaveGroup: what members of a classic group do between two joins.

An assignment is written to the log before any member is told of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from klamm.kproto.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from klamm.kproto.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from klamm.log.machine import Decision
from klamm.server.coordinators.classic_group import (
    COMPLETING_REBALANCE,
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    ClassicGroup,
)
from klamm.server.coordinators.classic_rebalance import ClassicRebalance, Groups
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_records import group_record
from klamm.server.coordinators.turn import Turn

SyncDecision = Decision[SyncGroupResponse, CoordinatorRecord]
LeaveDecision = Decision[LeaveGroupResponse, CoordinatorRecord]
MemberIdentity = LeaveGroupRequest.MemberIdentity


def sync_error(code: int) -> SyncGroupResponse:
    return SyncGroupResponse(error_code=code, assignment=b"")


class ClassicProtocol:
    """The commands of one machine that come from members of a generation."""

    def __init__(self, groups: Groups, rebalance: ClassicRebalance) -> None:
        self._groups, self._rebalance = groups, rebalance

    # SyncGroup

    def sync(self, request: SyncGroupRequest) -> SyncDecision:
        """Ask for one's assignment; from the leader: hand out everyone's. A future until the leader has done so."""
        turn = Turn()
        group = self._groups.get(request.group_id)
        if group is None or group.state is EMPTY:
            return turn.decide(sync_error(errors.UNKNOWN_MEMBER_ID))
        if code := self._check_sync(group, request):
            return turn.decide(sync_error(code))
        if group.state is PREPARING_REBALANCE:
            return turn.decide(sync_error(errors.REBALANCE_IN_PROGRESS))
        member = group.members[request.member_id]
        group.pending_sync.pop(member.member_id, None)
        if not group.pending_sync:
            turn.cancel_timer(("sync", group.group_id))
        if group.state is STABLE:
            return turn.decide(
                SyncGroupResponse(
                    error_code=errors.NONE,
                    protocol_type=group.protocol_type,
                    protocol_name=group.protocol_name,
                    assignment=member.assignment,
                )
            )
        if member.awaiting_sync is None:
            member.awaiting_sync = asyncio.get_running_loop().create_future()
        if group.leader_id == member.member_id:
            assignments = {a.member_id: a.assignment for a in request.assignments}
            turn.records.append(group_record(group, assignments))
            turn.settled = self._sync_settled(group, group.generation_id)
        return turn.decide(member.awaiting_sync)

    def _check_sync(self, group: ClassicGroup, request: SyncGroupRequest) -> int:
        if group.state is DEAD:
            return errors.COORDINATOR_NOT_AVAILABLE
        if code := group.check_member(request.member_id, request.group_instance_id):
            return code
        if request.generation_id != group.generation_id:
            return errors.ILLEGAL_GENERATION
        if _differ(request.protocol_type, group.protocol_type) or _differ(request.protocol_name, group.protocol_name):
            return errors.INCONSISTENT_GROUP_PROTOCOL
        return errors.NONE

    def _sync_settled(
        self, group: ClassicGroup, generation: int
    ) -> Callable[[int], Decision[None, CoordinatorRecord] | None]:
        """What follows once the assignment is written down, or could not be; unless the group has gone on since."""

        def settled(code: int) -> Decision[None, CoordinatorRecord] | None:
            if group.generation_id != generation:
                return None
            turn = Turn()
            if code and group.state is COMPLETING_REBALANCE:
                self._rebalance.reset_assignments(group)
                self._rebalance.answer_waiting_syncs(turn, group, code)
                self._rebalance.prepare(turn, group, f"error {code} from the log on storing the assignment")
            elif not code and group.state is STABLE:
                self._rebalance.answer_waiting_syncs(turn, group, errors.NONE)
            return turn.decide(None)

        return settled

    # Heartbeat

    def heartbeat(self, request: HeartbeatRequest) -> Decision[HeartbeatResponse, CoordinatorRecord]:
        turn = Turn()
        return turn.decide(HeartbeatResponse(error_code=self._heartbeat(turn, request)))

    def _heartbeat(self, turn: Turn, request: HeartbeatRequest) -> int:
        group = self._groups.get(request.group_id)
        if group is None:
            return errors.UNKNOWN_MEMBER_ID
        if group.state is DEAD:
            return errors.COORDINATOR_NOT_AVAILABLE
        if code := group.check_member(request.member_id, request.group_instance_id):
            return code
        if request.generation_id != group.generation_id:
            return errors.ILLEGAL_GENERATION
        self._rebalance.keep_alive(turn, group, group.members[request.member_id])
        return errors.REBALANCE_IN_PROGRESS if group.state is PREPARING_REBALANCE else errors.NONE

    # LeaveGroup

    def leave(self, request: LeaveGroupRequest) -> LeaveDecision:
        """Remove the members named, each by its id or, as administrators do, by its instance id alone.

        Raises KafkaError UNKNOWN_MEMBER_ID when there is no such group.
        """
        turn = Turn()
        group = self._groups.get(request.group_id)
        if group is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        if group.state is DEAD:
            return turn.decide(LeaveGroupResponse(error_code=errors.COORDINATOR_NOT_AVAILABLE))
        results = [
            LeaveGroupResponse.MemberResponse(
                member_id=identity.member_id,
                group_instance_id=identity.group_instance_id,
                error_code=self._leave(turn, group, identity),
            )
            for identity in request.members
        ]
        left = [r.member_id or str(r.group_instance_id) for r in results if r.error_code == errors.NONE]
        if left:
            reason = f"{', '.join(left)} left"
            if group.state in (STABLE, COMPLETING_REBALANCE):
                self._rebalance.prepare(turn, group, reason)
            elif group.state is PREPARING_REBALANCE:
                self._rebalance.maybe_complete_join(turn, group)
        return turn.decide(LeaveGroupResponse(error_code=errors.NONE, members=results))

    def _leave(self, turn: Turn, group: ClassicGroup, identity: MemberIdentity) -> int:
        member_id = identity.member_id
        if not member_id:
            if identity.group_instance_id not in group.static_members:
                return errors.UNKNOWN_MEMBER_ID
            member_id = group.static_members[identity.group_instance_id]
        elif member_id in group.pending_join:
            group.remove(member_id)
            turn.cancel_timer(("session", group.group_id, member_id))
            return errors.NONE
        elif code := group.check_member(member_id, identity.group_instance_id):
            return code
        turn.cancel_timer(("session", group.group_id, member_id))
        self._rebalance.drop(group, group.members[member_id])
        return errors.NONE


def _differ(told: str | None, known: str | None) -> bool:
    """Whether a member names another protocol than the group's; clients before version 5 name none."""
    return told is not None and known is not None and told != known
