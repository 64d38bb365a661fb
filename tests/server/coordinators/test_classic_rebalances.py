"""Rebalances of several members: eager and cooperative consumers, protocols, and who leads."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.consumer_protocol import ConsumerProtocolSubscription
from tests.server.coordinators.group_lab import GroupLab, Member, result, subscription


@pytest.fixture
async def lab() -> GroupLab:
    return GroupLab()


def owning(*partitions: int) -> bytes:
    """The metadata of a cooperative consumer that reads t and owns `partitions` (KIP-429)."""
    owned = ConsumerProtocolSubscription.TopicPartition(topic="t", partitions=list(partitions))
    return b"\x00\x01" + ConsumerProtocolSubscription(topics=["t"], owned_partitions=[owned]).encode(1)


def rebalance(leader: Member, followers: list[Member], assignments: dict[str, bytes]) -> list[bytes]:
    """The sync phase of a generation that everyone has joined; the assignments as they arrive, the leader's first."""
    for follower in followers:
        follower.joined()
        follower.ask_sync()
    leader.joined()
    leader.ask_sync(assignments)
    return [member.synced().assignment for member in (leader, *followers)]


async def test_eager_members_come_one_after_the_other_and_go(lab: GroupLab) -> None:
    members: list[Member] = []
    for generation in range(1, 6):
        members.append(lab.member().join())
        for member in members[:-1]:
            assert member.heartbeat() == errors.REBALANCE_IN_PROGRESS
            member.join()
        lab.advance(0)
        assert {m.joined().generation_id for m in members} == {generation}
        leader = next(m for m in members if m.id == m.joined().leader)
        assert {m.member_id for m in leader.joined().members} == {m.id for m in members}
        rebalance(leader, [m for m in members if m is not leader], {m.id: m.id.encode() for m in members})
        assert [m.synced().assignment for m in members] == [m.id.encode() for m in members]
    while len(members) > 1:
        members.pop(0).leave()
        for member in members:
            assert member.heartbeat() == errors.REBALANCE_IN_PROGRESS
            member.join()
        assert {m.joined().error_code for m in members} == {0}
        leader = next(m for m in members if m.id == m.joined().leader)
        rebalance(leader, [m for m in members if m is not leader], {})
    assert lab.describe("g").group_state == "Stable"


async def test_cooperative_members_hand_partitions_over_in_two_rebalances(lab: GroupLab) -> None:
    """KIP-429: the first takes partitions away, the member that lost them rejoins at once, the second gives them."""
    first = lab.member(protocols={"cooperative-sticky": owning()})
    second = lab.member(protocols={"cooperative-sticky": owning()})
    lab.stable(first)
    second.join()
    assert first.heartbeat() == errors.REBALANCE_IN_PROGRESS
    first.protocols = {"cooperative-sticky": owning(0, 1)}
    first.join()
    told = {m.member_id: m.metadata for m in first.joined().members}
    assert told == {first.id: owning(0, 1), second.joined().member_id: owning()}
    assert rebalance(first, [second], {first.id: b"0", second.id: b""}) == [b"0", b""]
    first.protocols = {"cooperative-sticky": owning(0)}
    first.join()
    assert first.waits
    assert second.heartbeat() == errors.REBALANCE_IN_PROGRESS
    second.join()
    assert rebalance(first, [second], {first.id: b"0", second.id: b"1"}) == [b"0", b"1"]
    assert first.generation == 3


async def test_a_follower_that_has_changed_rebalances_one_that_has_not_only_looks(lab: GroupLab) -> None:
    first, second = lab.member(), lab.member()
    lab.stable(first, second)
    leader_id = lab.machine.groups["g"].leader_id
    follower = second if leader_id == first.id else first
    looking = result(follower.ask_join())
    assert (looking.generation_id, looking.members, looking.leader) == (1, [], leader_id)
    follower.protocols = {"range": subscription("t", "u")}
    follower.ask_join()
    assert follower.waits


async def test_a_repeated_join_and_a_repeated_sync_are_answered_like_the_first(lab: GroupLab) -> None:
    first, second = lab.member(), lab.member()
    lab.stable(first)
    second.join()
    lost = second.joining
    second.ask_join()
    first.join()
    assert result(lost) is result(second.joining)
    lost_sync = (second.joined(), second.ask_sync())[1]
    second.ask_sync()
    first.joined()
    first.ask_sync({second.id: b"2"})
    assert result(lost_sync).assignment == second.synced().assignment == b"2"


@pytest.mark.parametrize(
    ("members", "chosen"),
    [
        ([("range", "sticky"), ("range", "sticky")], "range"),
        ([("range", "sticky"), ("sticky", "range"), ("sticky", "range")], "sticky"),
        ([("range", "sticky"), ("sticky",)], "sticky"),
        ([("a", "b", "range"), ("range", "b"), ("b", "range")], "b"),
        ([("range", "rr"), ("rr", "range")], "rr"),
        ([("rr", "range"), ("range", "rr")], "rr"),
    ],
)
async def test_members_vote_for_the_protocol(lab: GroupLab, members: list[tuple[str, ...]], chosen: str) -> None:
    joining = [lab.member(protocols={name: name.encode() for name in names}).join() for names in members]
    lab.advance(0)
    assert {m.joined().protocol_name for m in joining} == {chosen}
    leader = next(m for m in joining if m.id == m.joined().leader)
    assert {m.metadata for m in leader.joined().members} == {chosen.encode()}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"protocols": {"other": b""}}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocols": {}}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": "connect"}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": ""}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"group": ""}, errors.INVALID_GROUP_ID),
        ({"session_timeout_ms": 5999}, errors.INVALID_SESSION_TIMEOUT),
        ({"session_timeout_ms": 1800001}, errors.INVALID_SESSION_TIMEOUT),
        ({"session_timeout_ms": 6000}, errors.MEMBER_ID_REQUIRED),
        ({"version": 3}, None),
        ({"instance": "i"}, None),
    ],
)
async def test_who_may_join(lab: GroupLab, fields: dict[str, object], code: int | None) -> None:
    lab.stable(lab.member(protocols={"range": b"", "sticky": b""}))
    member = lab.member(**{"protocols": {"sticky": b""}, **fields})
    member.ask_join()
    assert code is None if member.waits else result(member.joining).error_code == code


async def test_member_ids_begin_with_what_names_the_client(lab: GroupLab) -> None:
    ids = [
        lab.member(client_id="app").ask_join().member_id,
        lab.member(client_id=None).ask_join().member_id,
    ]
    assert [i[: i.index("-")] for i in ids] == ["app", ""]
    static = lab.member(instance="box-1").join()
    lab.advance(0)
    assert static.joined().error_code == 0
    assert static.id.startswith("box-1-") and len(static.id) == len("box-1-") + 36


async def test_a_generation_without_members_is_written_down(lab: GroupLab) -> None:
    member = lab.member()
    lab.stable(member)
    member.leave()
    lab.restart()
    assert (lab.describe("g").group_state, lab.machine.groups["g"].generation_id) == ("Empty", 2)
    lab.stable(lab.member())
    assert lab.machine.groups["g"].generation_id == 3


async def test_a_group_that_was_loaded_over_its_size_rebalances(lab: GroupLab) -> None:
    members = [lab.member() for _ in range(3)]
    lab.stable(*members)
    lab.settings = lab.settings._replace(max_size=2)
    lab.restart()
    assert [m.heartbeat() for m in members] == [errors.REBALANCE_IN_PROGRESS] * 3
    for member in members:
        member.join()
    assert result(members[2].joining).error_code == errors.GROUP_MAX_SIZE_REACHED


async def test_a_member_that_leaves_while_it_waits_is_told_so(lab: GroupLab) -> None:
    first, second = lab.member(), lab.member()
    first.join()
    second.join()
    lab.advance(0)
    follower = second if first.joined().leader == first.id else first
    second.joined()
    follower.ask_sync()
    follower.leave()
    assert follower.synced().error_code == errors.UNKNOWN_MEMBER_ID


async def test_who_waits_in_a_full_group_may_ask_again(lab: GroupLab) -> None:
    full = GroupLab(lab.settings._replace(max_size=1))
    member = full.member().join()
    member.ask_join()
    assert member.waits
    assert result(full.member().ask_join()).error_code == errors.GROUP_MAX_SIZE_REACHED
