"""A command's timers count even when its records are refused."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.log.machine import Decision, SetTimer
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_records import group_tombstone
from klamm.server.coordinators.turn import Turn


def nothing() -> Decision[None, CoordinatorRecord]:
    return Decision(None)


def test_timers_without_records_are_just_set() -> None:
    turn = Turn()
    turn.set_timer("t", 5, nothing)
    assert (turn.decide(None).timers, turn.decide(None).settled) == ([SetTimer("t", 5, nothing)], None)


def test_timers_of_a_refused_command_come_before_those_of_what_follows() -> None:
    turn = Turn()
    turn.records.append(group_tombstone("g"))
    turn.set_timer("t", 5, nothing)
    settled = turn.decide(None).settled
    assert settled is not None
    alone = settled(errors.NOT_COORDINATOR)
    assert alone is not None and alone.timers == [SetTimer("t", 5, nothing)]
    following = Decision(None, [group_tombstone("h")], [SetTimer("u", 6, nothing)])
    turn.settled = lambda code: following
    both = settled(errors.NOT_COORDINATOR)
    assert both is not None
    assert [t.key for t in both.timers] == ["t", "u"]
    assert both.records == [group_tombstone("h")]
    assert settled(errors.NONE) is following
