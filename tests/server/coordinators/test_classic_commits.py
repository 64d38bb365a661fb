"""Classic groups on a log that takes time to commit, or refuses."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from tests.server.coordinators.group_lab import GroupLab, Member, result, settle


@pytest.fixture
async def lab() -> GroupLab:
    return GroupLab()


def completing(lab: GroupLab) -> tuple[Member, Member]:
    """Two members after the join phase; the leader is the first."""
    one, two = lab.member(), lab.member()
    one.join()
    two.join()
    lab.advance(0)
    two.joined()
    return (one, two) if one.joined().leader == one.id else (two, one)


async def test_nobody_is_told_of_an_assignment_before_it_is_committed(lab: GroupLab) -> None:
    leader, follower = completing(lab)
    lab.partition.commits = False
    follower.ask_sync()
    leader.ask_sync({leader.id: b"1", follower.id: b"2"})
    late = follower.ask_sync()
    assert not follower.syncing.done() and not leader.syncing.done()
    lab.partition.commit()
    await settle()
    assert (leader.synced().assignment, follower.synced().assignment) == (b"1", b"2")
    assert result(late).assignment == b"2"


async def test_a_refused_assignment_starts_the_rebalance_again(lab: GroupLab) -> None:
    leader, follower = completing(lab)
    follower.ask_sync()
    lab.partition.refuse = errors.NOT_ENOUGH_REPLICAS
    leader.ask_sync({leader.id: b"1", follower.id: b"2"})
    assert leader.synced().error_code == errors.COORDINATOR_NOT_AVAILABLE
    assert follower.synced().error_code == errors.COORDINATOR_NOT_AVAILABLE
    lab.partition.refuse = 0
    assert follower.heartbeat() == errors.REBALANCE_IN_PROGRESS
    leader.join()
    follower.join()
    assert leader.joined().generation_id == follower.joined().generation_id == 2


async def test_a_rebalance_between_append_and_commit_sends_the_waiting_back(lab: GroupLab) -> None:
    leader, follower = completing(lab)
    lab.partition.commits = False
    follower.ask_sync()
    leader.ask_sync({leader.id: b"1", follower.id: b"2"})
    lab.member(version=3).join()
    lab.partition.commit()
    await settle()
    assert leader.synced().error_code == follower.synced().error_code == errors.REBALANCE_IN_PROGRESS
    assert leader.heartbeat() == errors.REBALANCE_IN_PROGRESS


async def test_reads_wait_for_the_offsets_before_them(lab: GroupLab) -> None:
    lab.partition.commits = False
    committed = lab.ask_commit("g", 7)
    listed: Any = lab.coordinator.list_groups((), ())
    assert not committed.done() and not listed.done()
    lab.partition.commit()
    await settle()
    assert lab.offsets("g") == {("t", 0): 7}
    assert [g.group_id for g in result(listed).groups] == ["g"]


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (errors.NOT_LEADER_OR_FOLLOWER, errors.NOT_COORDINATOR),
        (errors.KAFKA_STORAGE_ERROR, errors.NOT_COORDINATOR),
        (errors.NOT_ENOUGH_REPLICAS, errors.COORDINATOR_NOT_AVAILABLE),
        (errors.REQUEST_TIMED_OUT, errors.COORDINATOR_NOT_AVAILABLE),
        (errors.UNKNOWN_TOPIC_OR_PARTITION, errors.COORDINATOR_NOT_AVAILABLE),
        (errors.MESSAGE_TOO_LARGE, errors.UNKNOWN_SERVER_ERROR),
        (errors.RECORD_LIST_TOO_LARGE, errors.UNKNOWN_SERVER_ERROR),
        (errors.CORRUPT_MESSAGE, errors.CORRUPT_MESSAGE),
    ],
)
async def test_what_a_refusal_means_to_clients(lab: GroupLab, refused: int, told: int) -> None:
    lab.partition.refuse = refused
    assert lab.commit("g", 1) == told
    assert lab.member().ask_join().error_code == told
    lab.partition.refuse = 0
    assert result(lab.coordinator.list_groups((), ())).groups == []
    assert lab.commit("g", 2) == 0


async def test_a_static_member_whose_new_id_cannot_be_written_keeps_its_old_one(lab: GroupLab) -> None:
    old = lab.member(instance="i", protocols={"range": b"old"})
    new = lab.member(instance="i", protocols={"range": b"new"}, session_timeout_ms=60000)
    lab.stable(old)
    lab.partition.refuse = errors.NOT_ENOUGH_REPLICAS
    assert result(new.ask_join()).error_code == errors.COORDINATOR_NOT_AVAILABLE
    lab.partition.refuse = 0
    assert old.heartbeat() == 0
    old.ask_sync()
    assert old.synced().assignment == old.id.encode()
    described = lab.describe("g").members
    assert [(m.member_id, m.member_metadata) for m in described] == [(old.id, b"old")]
    lab.advance(10000)
    assert old.heartbeat() == errors.UNKNOWN_MEMBER_ID


async def test_a_static_member_is_answered_when_its_new_id_is_committed(lab: GroupLab) -> None:
    old, new = lab.member(instance="i"), lab.member(instance="i")
    lab.stable(old)
    lab.partition.commits = False
    new.ask_join()
    assert new.waits
    lab.partition.commit()
    await settle()
    assert (new.joined().generation_id, new.joined().skip_assignment) == (1, True)
    assert new.heartbeat() == 0
    lab.partition.commits = True
    lab.restart()
    assert new.heartbeat() == 0
    assert old.heartbeat() == errors.FENCED_INSTANCE_ID


async def test_lost_leadership_answers_all_who_wait(lab: GroupLab) -> None:
    leader, follower = completing(lab)
    follower.ask_sync()
    joining = lab.member(group="h").join()
    lab.partition.commits = False
    leader.ask_sync({})
    lab.coordinator.on_resigned(0)
    await settle()
    assert follower.synced().error_code == leader.synced().error_code == errors.NOT_COORDINATOR
    assert joining.joined().error_code == errors.NOT_COORDINATOR
    assert leader.heartbeat() == errors.NOT_COORDINATOR
