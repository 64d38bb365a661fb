"""What happens to a classic group when time passes: sessions, rebalance and sync timeouts."""

from __future__ import annotations

import asyncio

import pytest

from klamm.kproto import errors
from tests.server.coordinators.group_lab import SETTINGS, GroupLab, result


@pytest.fixture
async def lab() -> GroupLab:
    return GroupLab()


async def test_heartbeats_and_commits_keep_a_member(lab: GroupLab) -> None:
    member = lab.member(session_timeout_ms=10000)
    lab.stable(member)
    for _ in range(3):
        lab.advance(9999)
        assert member.heartbeat() == 0
        lab.advance(9999)
        assert member.commit(1) == 0
    lab.advance(10000)
    assert member.heartbeat() == errors.UNKNOWN_MEMBER_ID


async def test_a_member_id_that_nobody_joins_with_is_forgotten(lab: GroupLab) -> None:
    member = lab.member(session_timeout_ms=10000)
    member.id = member.ask_join().member_id
    lab.advance(10000)
    assert result(member.ask_join()).error_code == errors.UNKNOWN_MEMBER_ID


async def test_a_pending_member_id_holds_the_join_phase_up_until_it_expires(lab: GroupLab) -> None:
    first, pending = lab.member(session_timeout_ms=60000), lab.member(session_timeout_ms=6000)
    lab.stable(first)
    pending.id = pending.ask_join().member_id
    second = lab.member().join()
    first.join()
    assert first.waits and second.waits
    lab.advance(6000)
    assert first.joined().generation_id == second.joined().generation_id == 2


async def test_who_waits_in_a_join_does_not_expire(lab: GroupLab) -> None:
    first, second = lab.member(session_timeout_ms=6000), lab.member(session_timeout_ms=6000)
    lab.stable(first, second)
    lab.member().join()
    first.join()
    for _ in range(4):
        lab.advance(5000)
        second.heartbeat()
    assert first.waits
    second.join()
    assert first.joined().generation_id == 2


async def test_a_new_member_waits_five_minutes_at_most(lab: GroupLab) -> None:
    first = lab.member(session_timeout_ms=1800000, rebalance_timeout_ms=1800000)
    lab.stable(first)
    new = lab.member().join()
    lab.advance(299999)
    assert new.waits
    lab.advance(1)
    assert result(new.joining).error_code == errors.UNKNOWN_MEMBER_ID
    assert result(new.joining).member_id == ""


async def test_who_joins_but_never_syncs_is_dropped(lab: GroupLab) -> None:
    first = lab.member(session_timeout_ms=60000, rebalance_timeout_ms=8000)
    second = lab.member(session_timeout_ms=60000, rebalance_timeout_ms=8000)
    first.join()
    second.join()
    lab.advance(0)
    leader, follower = (first, second) if first.joined().leader == first.id else (second, first)
    follower.joined()
    leader.ask_sync({leader.id: b"1"})
    lab.advance(7999)
    assert leader.heartbeat() == 0
    lab.advance(1)
    assert leader.heartbeat() == errors.REBALANCE_IN_PROGRESS
    assert follower.heartbeat() == errors.UNKNOWN_MEMBER_ID


async def test_no_sync_timeout_once_all_have_synced(lab: GroupLab) -> None:
    first = lab.member(session_timeout_ms=60000, rebalance_timeout_ms=8000)
    lab.stable(first)
    lab.advance(30000)
    assert first.heartbeat() == 0


async def test_leader_that_does_not_rejoin_loses_the_lead(lab: GroupLab) -> None:
    first, second = lab.member(rebalance_timeout_ms=5000), lab.member(rebalance_timeout_ms=5000)
    lab.stable(first, second)
    leader, other = (first, second) if lab.machine.groups["g"].leader_id == first.id else (second, first)
    third = lab.member(rebalance_timeout_ms=5000).join()
    other.join()
    lab.advance(5000)
    assert other.joined().leader in (other.id, third.joined().member_id)
    assert leader.heartbeat() == errors.UNKNOWN_MEMBER_ID


async def test_static_members_are_kept_through_a_rebalance_they_miss(lab: GroupLab) -> None:
    first = lab.member(instance="i1", rebalance_timeout_ms=5000, session_timeout_ms=60000)
    second = lab.member(instance="i2", rebalance_timeout_ms=5000, session_timeout_ms=60000)
    lab.stable(first, second)
    first.protocols = {"range": b"changed"}
    first.join()
    lab.advance(5000)
    assert {m.group_instance_id for m in first.joined().members} == {"i1", "i2"}
    assert second.heartbeat() == errors.ILLEGAL_GENERATION


async def test_a_rebalance_that_no_static_member_joins_goes_on_until_they_expire(lab: GroupLab) -> None:
    first = lab.member(instance="i1", rebalance_timeout_ms=5000, session_timeout_ms=12000)
    second = lab.member(instance="i2", rebalance_timeout_ms=5000, session_timeout_ms=12000)
    lab.stable(first, second)
    second.leave()
    assert lab.describe("g").group_state == "PreparingRebalance"
    lab.advance(11999)
    assert lab.describe("g").group_state == "PreparingRebalance"
    lab.advance(1)
    assert lab.describe("g").group_state == "Empty"


async def test_initial_delay_of_zero_still_waits_for_those_who_come_together() -> None:
    lab = GroupLab(SETTINGS._replace(initial_rebalance_delay_ms=0))
    first, second = lab.member().join(), lab.member().join()
    assert isinstance(first.joining, asyncio.Future) and first.waits and second.waits
    lab.advance(0)
    assert first.joined().generation_id == second.joined().generation_id == 1


async def test_members_that_were_loaded_have_one_session_to_be_heard_of(lab: GroupLab) -> None:
    first, second = lab.member(session_timeout_ms=10000), lab.member(session_timeout_ms=20000)
    lab.stable(first, second)
    lab.advance(9000)
    lab.restart()
    lab.advance(9999)
    assert lab.describe("g").group_state == "Stable"
    lab.advance(1)
    assert lab.describe("g").group_state == "PreparingRebalance"
    lab.advance(10000)
    assert lab.describe("g").group_state == "Empty"


async def test_members_that_are_gone_have_no_timers(lab: GroupLab) -> None:
    first, second = lab.member(rebalance_timeout_ms=5000), lab.member(rebalance_timeout_ms=5000)
    before = lab.clock.pending
    lab.stable(first, second)
    lab.advance(6000)
    first.heartbeat()
    second.heartbeat()
    assert lab.clock.pending == before + 2  # two sessions
    first.protocols = {"range": b"changed"}
    first.join()
    lab.advance(5000)
    assert first.joined().generation_id == 2
    assert lab.clock.pending == before + 2  # one session, and the sync phase
    first.leave()
    assert lab.clock.pending == before


async def test_a_static_member_that_comes_back_before_it_synced_is_not_waited_for(lab: GroupLab) -> None:
    one = lab.member(instance="i1", rebalance_timeout_ms=5000, session_timeout_ms=60000)
    two = lab.member(instance="i2", rebalance_timeout_ms=5000, session_timeout_ms=60000)
    one.join()
    two.join()
    lab.advance(0)
    leader, other = (one, two) if one.joined().leader == one.id else (two, one)
    leader.ask_sync({other.joined().member_id: b"2"})
    again = lab.member(instance=other.instance, rebalance_timeout_ms=5000, session_timeout_ms=60000).join()
    assert again.joined().generation_id == 1
    lab.advance(5000)
    assert leader.heartbeat() == again.heartbeat() == 0


async def test_nothing_is_left_to_wait_for_when_the_broker_stops(lab: GroupLab) -> None:
    lab.stable(lab.member(), lab.member())
    lab.member(group="h").join()
    lab.coordinator.close()
    assert lab.clock.pending == 0
