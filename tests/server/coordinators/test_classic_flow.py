"""Classic groups from the first join to the last leave, as clients go through them."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.group_records import GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue
from tests.server.coordinators.group_lab import SETTINGS, GroupLab, subscription


@pytest.fixture
async def lab() -> GroupLab:
    return GroupLab()


async def test_one_member_from_join_to_leave(lab: GroupLab) -> None:
    member = lab.member()
    first = member.ask_join()
    assert first.error_code == errors.MEMBER_ID_REQUIRED
    assert first.member_id.startswith("client-")
    member.id = first.member_id
    member.ask_join()
    assert member.waits
    lab.advance(0)
    response = member.joined()
    assert (response.generation_id, response.leader, response.member_id) == (1, member.id, member.id)
    assert (response.protocol_type, response.protocol_name) == ("consumer", "range")
    assert [(m.member_id, m.metadata) for m in response.members] == [(member.id, subscription("t"))]
    member.ask_sync({member.id: b"mine"})
    assert (member.synced().error_code, member.synced().assignment) == (0, b"mine")
    assert member.heartbeat() == 0
    assert member.commit(42) == 0
    assert lab.offsets("g") == {("t", 0): 42}
    assert member.leave().members[0].error_code == 0
    assert lab.describe("g").group_state == "Empty"
    assert member.heartbeat() == errors.UNKNOWN_MEMBER_ID


async def test_records_of_a_first_generation(lab: GroupLab) -> None:
    member = lab.member()
    lab.stable(member)
    member.commit(7)
    member.leave()
    written = lab.partition.records()
    assert [(type(r.key), r.version) for r in written] == [
        (GroupMetadataKey, 3),
        (GroupMetadataKey, 3),
        (OffsetCommitKey, 4),
        (GroupMetadataKey, 3),
    ]
    empty, stable, offset, left = (r.value for r in written)
    assert isinstance(empty, GroupMetadataValue) and isinstance(stable, GroupMetadataValue)
    assert isinstance(offset, OffsetCommitValue) and isinstance(left, GroupMetadataValue)
    assert (empty.generation, empty.protocol_type, empty.protocol, empty.leader, empty.members) == (
        0,
        "",
        None,
        None,
        [],
    )
    assert (stable.generation, stable.protocol_type, stable.protocol) == (1, "consumer", "range")
    assert stable.leader == member.id
    saved = stable.members[0]
    assert (saved.member_id, saved.client_id, saved.client_host) == (member.id, "client", "/127.0.0.1")
    assert (saved.session_timeout, saved.rebalance_timeout) == (10000, 30000)
    assert (saved.subscription, saved.assignment) == (subscription("t"), member.id.encode())
    assert (offset.offset, offset.leader_epoch, offset.metadata) == (7, 3, "m")
    assert (left.generation, left.protocol_type, left.protocol, left.leader, left.members) == (
        2,
        "consumer",
        None,
        None,
        [],
    )


async def test_second_member_rebalances_the_first(lab: GroupLab) -> None:
    first, second = lab.member(), lab.member()
    lab.stable(first)
    second.join()
    assert second.waits
    assert first.heartbeat() == errors.REBALANCE_IN_PROGRESS
    first.join()
    assert not second.waits
    assert [first.joined().generation_id, second.joined().generation_id] == [2, 2]
    assert {m.member_id for m in first.joined().members} == {first.id, second.id}
    assert second.joined().members == []
    second.ask_sync()
    first.ask_sync({first.id: b"1", second.id: b"2"})
    assert (first.synced().assignment, second.synced().assignment) == (b"1", b"2")
    assert (first.synced().protocol_type, first.synced().protocol_name) == ("consumer", "range")


async def test_initial_delay_gathers_members() -> None:
    lab = GroupLab(SETTINGS._replace(initial_rebalance_delay_ms=3000))
    first, second = lab.member().join(), lab.member()
    lab.advance(2000)
    second.join()
    lab.advance(1000)
    assert first.waits  # the second one's coming has prolonged it
    lab.advance(3000)
    assert first.joined().generation_id == second.joined().generation_id == 1


async def test_initial_delay_ends_with_the_rebalance_timeout() -> None:
    lab = GroupLab(SETTINGS._replace(initial_rebalance_delay_ms=3000))
    first = lab.member(rebalance_timeout_ms=7000).join()
    for _ in range(3):
        lab.member(rebalance_timeout_ms=7000).join()
        lab.advance(2999)
    assert not first.waits


async def test_silent_member_is_dropped_and_the_others_rebalance(lab: GroupLab) -> None:
    first, second = lab.member(), lab.member()
    lab.stable(first, second)
    for _ in range(3):
        lab.advance(4000)
        first.heartbeat()
    assert first.heartbeat() == errors.REBALANCE_IN_PROGRESS
    first.join()
    assert [m.member_id for m in first.joined().members] == [first.id]
    assert second.heartbeat() == errors.UNKNOWN_MEMBER_ID


async def test_member_that_does_not_rejoin_is_dropped(lab: GroupLab) -> None:
    first, second, third = lab.member(rebalance_timeout_ms=8000), lab.member(rebalance_timeout_ms=8000), lab.member()
    lab.stable(first, second)
    third.rebalance_timeout_ms = 8000
    third.join()
    first.join()
    lab.advance(7999)
    second.heartbeat()
    assert third.waits
    lab.advance(1)
    assert {m.member_id for m in first.joined().members} == {first.id, third.joined().member_id}


async def test_group_survives_a_restart(lab: GroupLab) -> None:
    first, second = lab.member(), lab.member()
    lab.stable(first, second)
    first.commit(5)
    lab.restart()
    assert first.heartbeat() == second.heartbeat() == 0
    assert lab.offsets("g") == {("t", 0): 5}
    second.ask_sync()
    assert second.synced().assignment == second.id.encode()
    lab.advance(9999)
    assert lab.describe("g").group_state == "Stable"
    lab.advance(1)
    assert lab.describe("g").group_state == "Empty"
