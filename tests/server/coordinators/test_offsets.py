"""Committed offsets: who may commit, what is kept, when it goes."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.group_records import OffsetCommitKey, OffsetCommitValue
from klamm.server.coordinators.coordinator_log import EndTransaction, Replayed
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.offset_table import OffsetTable
from tests.server.coordinators.group_lab import SETTINGS, GroupLab, subscription

HOUR_MS = 3600000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
async def lab() -> GroupLab:
    return GroupLab(SETTINGS._replace(offsets_retention_ms=DAY_MS, offsets_retention_check_interval_ms=HOUR_MS))


def value(offset: int, **fields: Any) -> OffsetCommitValue:
    return OffsetCommitValue(offset=offset, metadata="", commit_timestamp=0, **fields)


def key(partition: int = 0, group: str = "g", topic: str = "t") -> OffsetCommitKey:
    return OffsetCommitKey(group=group, topic=topic, partition=partition)


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ("x" * 4096, 0),
        ("x" * 4097, errors.OFFSET_METADATA_TOO_LARGE),
        ("ü" * 4096, 0),
        ("\U0001f600" * 2048, 0),
        ("\U0001f600" * 2049, errors.OFFSET_METADATA_TOO_LARGE),
        (None, 0),
    ],
)
async def test_metadata_is_limited_by_its_length_in_java(lab: GroupLab, metadata: str | None, code: int) -> None:
    assert lab.commit("g", 1, metadata=metadata) == code


async def test_offsets_of_a_group_without_members_age_from_their_commit(lab: GroupLab) -> None:
    lab.commit("g", 1, partition=0)
    lab.advance(12 * HOUR_MS)
    lab.commit("g", 2, partition=1)
    lab.advance(12 * HOUR_MS)
    assert lab.offsets("g") == {("t", 1): 2}
    lab.advance(12 * HOUR_MS)
    assert lab.offsets("g") == {}
    assert lab.describe("g").error_code == errors.GROUP_ID_NOT_FOUND
    lab.restart()
    assert lab.describe("g").error_code == errors.GROUP_ID_NOT_FOUND


async def test_offsets_of_a_living_group_stay_as_long_as_it_reads_them(lab: GroupLab) -> None:
    member = lab.member(session_timeout_ms=1800000)
    lab.stable(member)
    member.commit(1, "t")
    member.commit(2, "other")
    for _ in range(100):
        lab.advance(HOUR_MS / 4)
        assert member.heartbeat() == 0
    assert lab.offsets("g") == {("t", 0): 1}


async def test_offsets_of_a_group_that_became_empty_age_from_then(lab: GroupLab) -> None:
    member = lab.member(session_timeout_ms=1800000)
    lab.stable(member)
    member.commit(1)
    for _ in range(100):
        lab.advance(HOUR_MS / 4)
        member.heartbeat()
    member.leave()
    lab.advance(23 * HOUR_MS)
    assert lab.offsets("g") == {("t", 0): 1}
    lab.restart()
    assert lab.offsets("g") == {("t", 0): 1}
    lab.advance(2 * HOUR_MS)
    assert lab.offsets("g") == {}
    assert lab.describe("g").error_code == errors.GROUP_ID_NOT_FOUND


async def test_offsets_of_another_protocol_type_stay_while_it_has_members(lab: GroupLab) -> None:
    member = lab.member(session_timeout_ms=1800000, protocol_type="connect", protocols={"default": b""})
    lab.stable(member)
    member.commit(1)
    for _ in range(150):
        lab.advance(HOUR_MS / 4)
        assert member.heartbeat() == 0
    assert lab.offsets("g") == {("t", 0): 1}


async def test_a_retention_of_its_own_comes_first(lab: GroupLab) -> None:
    lab.commit("short", 1, version=4, retention_time_ms=90 * 60000)
    lab.commit("long", 1, version=4, retention_time_ms=3 * DAY_MS)
    lab.advance(2 * HOUR_MS)
    assert lab.offsets("short") == {}
    lab.advance(2 * DAY_MS)
    assert lab.offsets("long") == {("t", 0): 1}
    expiring = [r for r in lab.partition.records() if isinstance(r.value, OffsetCommitValue)]
    assert [r.version for r in expiring] == [1, 1]


async def test_expiry_that_the_log_refuses_is_tried_again(lab: GroupLab) -> None:
    lab.commit("g", 1)
    lab.partition.refuse = errors.NOT_LEADER_OR_FOLLOWER
    lab.advance(DAY_MS)
    lab.partition.refuse = 0
    assert lab.offsets("g") == {("t", 0): 1}
    lab.advance(HOUR_MS)
    assert lab.offsets("g") == {}


async def test_deleted_topics_take_their_offsets_along(lab: GroupLab) -> None:
    lab.commit("g", 1, "t")
    lab.commit("g", 2, "u")
    lab.commit("h", 3, "t", 4)
    lab.coordinator.on_topics_deleted(["t", "never seen"])
    lab.restart()
    assert (lab.offsets("g"), lab.offsets("h")) == ({("u", 0): 2}, {})


async def test_an_offset_of_a_topic_of_the_same_name_that_is_gone_counts_as_none(lab: GroupLab) -> None:
    from klamm.kproto.messages.offset_fetch import OffsetFetchRequest

    Group = OffsetFetchRequest.OffsetFetchRequestGroup
    lab.commit("g", 5, topic_id=b"\x01" * 16)
    found = []
    for topic_id in (b"\x01" * 16, b"\x02" * 16, bytes(16)):
        asked = Group.OffsetFetchRequestTopics(name="t", topic_id=topic_id, partition_indexes=[0])
        answer: Any = lab.coordinator.fetch_offsets(Group(group_id="g", topics=[asked]), False)
        found.append(answer.topics[0].partitions[0].committed_offset)
    assert found == [5, -1, 5]


async def test_pending_offsets_of_a_transaction(lab: GroupLab) -> None:
    """As the log of a broker that serves transactions leaves them."""
    lab.commit("g", 1)
    table = lab.machine.offset_table
    table.apply(key(), value(2), producer_id=77)
    stable, plain = (lab.fetch("g", {"t": [0, 1]}, stable=s).topics[0].partitions for s in (True, False))
    assert [(p.committed_offset, p.error_code) for p in stable] == [(-1, errors.UNSTABLE_OFFSET_COMMIT), (-1, 0)]
    assert [(p.committed_offset, p.error_code) for p in plain] == [(1, 0), (-1, 0)]
    table.end_transaction(77, commit=True)
    assert lab.fetch("g", {"t": [0]}, stable=True).topics[0].partitions[0].committed_offset == 2


@pytest.mark.parametrize(("commit", "expected"), [(True, {0: 10, 1: 99, 2: 12}), (False, {0: 1, 1: 99})])
def test_a_transaction_ends(commit: bool, expected: dict[int, int]) -> None:
    """What was committed later than the transaction wrote is newer, whenever the marker comes."""
    table = OffsetTable()
    table.apply(key(0), value(1))
    for partition in (0, 1, 2):
        table.apply(key(partition), value(10 + partition), producer_id=5)
    table.apply(key(1), value(99))
    table.end_transaction(5, commit)
    table.end_transaction(5, commit)
    assert {p: o.offset for p, o in table.topics("g")["t"].items()} == expected
    assert not table.has_pending("g")


def test_a_tombstone_takes_pending_offsets_along() -> None:
    table = OffsetTable()
    table.apply(key(), value(1), producer_id=5)
    table.apply(key(), None)
    table.end_transaction(5, commit=True)
    assert table.groups() == set()


async def test_transactions_are_replayed_from_the_log(lab: GroupLab) -> None:
    machine = lab.machine
    machine.replay(Replayed(5, CoordinatorRecord(key(), value(3), 4)))
    assert "g" in machine.groups and lab.offsets("g") == {}
    machine.replay(Replayed(5, EndTransaction(5, True)))
    assert lab.offsets("g") == {("t", 0): 3}


async def test_a_group_with_pending_offsets_is_kept_and_deleted_with_them(lab: GroupLab) -> None:
    machine = lab.machine
    machine.replay(Replayed(5, CoordinatorRecord(key(), value(3), 4)))
    lab.advance(3 * DAY_MS)
    assert lab.describe("g").error_code == 0
    assert lab.coordinator.delete_groups(["g"])[0].error_code == 0  # type: ignore[index]
    assert not machine.offset_table.has_pending("g")


async def test_a_subscription_that_cannot_be_read_protects_all_topics(lab: GroupLab) -> None:
    from tests.server.handlers.group_requests import forget

    member = lab.member(protocols={"range": subscription("t")[:5]})
    lab.stable(member)
    member.commit(1, "u")
    answer: Any = lab.coordinator.delete_offsets(forget("g", [("u", (0,))]))
    assert answer.topics[0].partitions[0].error_code == errors.GROUP_SUBSCRIBED_TO_TOPIC
