"""How a classic group gets from one generation to the next: the join phase, its timers, and members that fall silent.

Everything here runs inside a command (a `Turn`); members are answered through the futures that they wait for.
"""

from __future__ import annotations

import logging
from typing import Any

from klamm.kproto import errors
from klamm.kproto.messages.join_group import JoinGroupResponse
from klamm.log.machine import Decision
from klamm.seams import Clock
from klamm.server.coordinators.classic_group import (
    COMPLETING_REBALANCE,
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    ClassicGroup,
    ClassicMember,
    answer_join,
    answer_sync,
    join_error,
)
from klamm.server.coordinators.group_records import group_record
from klamm.server.coordinators.group_settings import GroupSettings
from klamm.server.coordinators.turn import Turn

log = logging.getLogger(__name__)

Groups = dict[str, ClassicGroup]


def joined(group: ClassicGroup, member_id: str) -> JoinGroupResponse:
    """What a member is told of the present generation; its leader is also told of all members."""
    members = []
    if group.leader_id == member_id:
        members = [
            JoinGroupResponse.JoinGroupResponseMember(
                member_id=m.member_id,
                group_instance_id=m.group_instance_id,
                metadata=m.metadata(group.protocol_name),
            )
            for m in group.members.values()
        ]
    return JoinGroupResponse(
        error_code=errors.NONE,
        generation_id=group.generation_id,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        leader=group.leader_id or "",
        member_id=member_id,
        members=members,
    )


class ClassicRebalance:
    """The join phase of all classic groups of one machine."""

    def __init__(self, groups: Groups, settings: GroupSettings, clock: Clock) -> None:
        self._groups, self._settings, self._clock = groups, settings, clock

    # Rebalances

    def prepare_or_complete(self, turn: Turn, group: ClassicGroup, reason: str) -> None:
        """A member came, went or changed: start a rebalance, or see whether the running one has all it waits for."""
        if group.can_rebalance:
            self.prepare(turn, group, reason)
        else:
            self.maybe_complete_join(turn, group)

    def prepare(self, turn: Turn, group: ClassicGroup, reason: str) -> None:
        """Start the join phase. A group that was empty waits first, so that its first members come in together."""
        if group.state is COMPLETING_REBALANCE:
            self.reset_assignments(group)
        # The assignment of a stable group may not be committed yet; who still waits for it has to join again as well.
        self.answer_waiting_syncs(turn, group, errors.REBALANCE_IN_PROGRESS)
        self.end_sync_phase(turn, group)
        initial = group.state is EMPTY
        group.transition(PREPARING_REBALANCE, self._clock.time_ms())
        log.info("group %s prepares a rebalance, generation %d: %s", group.group_id, group.generation_id, reason)
        if initial:
            delay_ms = self._settings.initial_rebalance_delay_ms
            remaining_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
            self._set_initial_timer(turn, group, delay_ms, remaining_ms)
        elif group.has_all_joined:
            self.complete_join(turn, group)
        else:
            self._set_join_timer(turn, group)

    def maybe_complete_join(self, turn: Turn, group: ClassicGroup) -> None:
        """End the join phase when everyone is there; the initial delay is always waited for."""
        if group.state is PREPARING_REBALANCE and group.previous_state is not EMPTY and group.has_all_joined:
            self.complete_join(turn, group)

    def complete_join(self, turn: Turn, group: ClassicGroup) -> None:
        """End the join phase: drop who has not come, choose leader and protocol, and answer those who have."""
        turn.cancel_timer(("join", group.group_id))
        missing = [m.member_id for m in group.members.values() if m.awaiting_join is None and not m.is_static]
        for member_id in missing:
            group.remove(member_id)
            turn.cancel_timer(("session", group.group_id, member_id))
        if missing:
            log.info("group %s: removed members that did not rejoin: %s", group.group_id, ", ".join(missing))
        if group.members and not group.elect_joined_leader():
            # Static members only, and none of them came: wait on, until their sessions end.
            self._set_join_timer(turn, group)
            return
        group.next_generation(self._clock.time_ms())
        if group.state is EMPTY:
            # Should the log refuse it, the generation before comes back after a restart and times out: no harm.
            turn.records.append(group_record(group, {}))
            return
        log.info("group %s: generation %d with %d members", group.group_id, group.generation_id, len(group.members))
        for member in group.members.values():
            answer_join(member, joined(group, member.member_id))
            self.keep_alive(turn, group, member)
            member.is_new = False
            group.pending_sync[member.member_id] = None
        generation = group.generation_id
        turn.set_timer(
            ("sync", group.group_id),
            group.rebalance_timeout_ms,
            lambda: self._expire_sync(group.group_id, generation),
        )

    def _set_join_timer(self, turn: Turn, group: ClassicGroup) -> None:
        turn.set_timer(("join", group.group_id), group.rebalance_timeout_ms, lambda: self._expire_join(group.group_id))

    def _expire_join(self, group_id: str) -> Decision[None, Any]:
        turn = Turn()
        group = self._groups.get(group_id)
        if group is not None and group.state is PREPARING_REBALANCE:
            self.complete_join(turn, group)
        return turn.decide(None)

    def _set_initial_timer(self, turn: Turn, group: ClassicGroup, delay_ms: int, remaining_ms: int) -> None:
        turn.set_timer(
            ("join", group.group_id), delay_ms, lambda: self._expire_initial(group.group_id, delay_ms, remaining_ms)
        )

    def _expire_initial(self, group_id: str, delay_ms: int, remaining_ms: int) -> Decision[None, Any]:
        """The initial delay is over; it starts again when someone joined meanwhile, up to the rebalance timeout."""
        turn = Turn()
        group = self._groups.get(group_id)
        if group is None or group.state is not PREPARING_REBALANCE:
            return turn.decide(None)
        if group.new_member_added and remaining_ms:
            group.new_member_added = False
            again_ms = min(self._settings.initial_rebalance_delay_ms, remaining_ms)
            self._set_initial_timer(turn, group, again_ms, max(remaining_ms - delay_ms, 0))
        else:
            self.complete_join(turn, group)
        return turn.decide(None)

    # The sync phase

    def end_sync_phase(self, turn: Turn, group: ClassicGroup) -> None:
        group.pending_sync.clear()
        turn.cancel_timer(("sync", group.group_id))

    def reset_assignments(self, group: ClassicGroup) -> None:
        for member in group.members.values():
            member.assignment = b""

    def answer_waiting_syncs(self, turn: Turn, group: ClassicGroup, code: int) -> None:
        """Answer all that wait for an assignment, with it or with an error; their sessions begin anew."""
        for member in group.members.values():
            if code:
                answered = answer_sync(member, code)
            else:
                answered = answer_sync(member, code, member.assignment, group.protocol_type, group.protocol_name)
            if answered:
                self.keep_alive(turn, group, member)

    def _expire_sync(self, group_id: str, generation: int) -> Decision[None, Any]:
        """Members that joined this generation but never asked for their assignment are dropped (KAFKA-10134)."""
        turn = Turn()
        group = self._groups.get(group_id)
        if (
            group is not None
            and group.generation_id == generation
            and group.state in (COMPLETING_REBALANCE, STABLE)
            and group.pending_sync
        ):
            missing = list(group.pending_sync)
            for member_id in missing:
                group.remove(member_id)
                turn.cancel_timer(("session", group_id, member_id))
            self.prepare(turn, group, f"members that never synced: {', '.join(missing)}")
        return turn.decide(None)

    # Sessions

    def keep_alive(self, turn: Turn, group: ClassicGroup, member: ClassicMember) -> None:
        """Start the member's session anew."""
        self.expect(turn, group.group_id, member.member_id, member.session_timeout_ms)

    def expect(self, turn: Turn, group_id: str, member_id: str, timeout_ms: int) -> None:
        """Drop the member (or the id that was given out) unless it is heard of within `timeout_ms`."""
        turn.set_timer(("session", group_id, member_id), timeout_ms, lambda: self._expire_session(group_id, member_id))

    def _expire_session(self, group_id: str, member_id: str) -> Decision[None, Any]:
        turn = Turn()
        group = self._groups.get(group_id)
        if group is None or group.state is DEAD:
            return turn.decide(None)
        member = group.members.get(member_id)
        if member_id in group.pending_join:
            group.remove(member_id)
            if group.state is PREPARING_REBALANCE and group.has_all_joined:
                self.complete_join(turn, group)
        elif member is not None and not member.is_alive_without_heartbeat:
            log.info("group %s: member %s failed", group_id, member_id)
            self.drop(group, member)
            self.after_removal(turn, group, f"member {member_id} failed")
        return turn.decide(None)

    def drop(self, group: ClassicGroup, member: ClassicMember) -> None:
        """Remove a member. If it waits in a join, it is told to start over, should it still be there."""
        answer_join(member, join_error(errors.UNKNOWN_MEMBER_ID, ""))
        answer_sync(member, errors.UNKNOWN_MEMBER_ID)
        group.remove(member.member_id)

    def after_removal(self, turn: Turn, group: ClassicGroup, reason: str) -> None:
        if group.state in (STABLE, COMPLETING_REBALANCE):
            self.prepare(turn, group, reason)
        elif group.state is PREPARING_REBALANCE and group.has_all_joined:
            self.complete_join(turn, group)
