"""The coordinator: which machine a group is on, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.seams import SeededEntropy
from klamm.server.coordinators.group_coordinator import GroupCoordinator
from klamm.server.coordinators.group_settings import GroupSettings, group_settings
from tests.clock import FakeClock
from tests.server.coordinators.group_lab import FakePartition, GroupLab, result, settle
from tests.server.handlers.group_requests import commit, forget, heartbeat, join, leave, sync


@pytest.fixture
async def lab() -> GroupLab:
    return GroupLab()


def codes(lab: GroupLab, group: str) -> dict[str, int]:
    """What each API says of a whole request for `group`."""
    coordinator: Any = lab.coordinator
    context = lab.context(11, 9)
    return {
        "join": result(coordinator.join(context, join(group))).error_code,
        "sync": result(coordinator.sync(sync(group, 1, "m"))).error_code,
        "heartbeat": result(coordinator.heartbeat(heartbeat(group, 1, "m"))).error_code,
        "leave": result(coordinator.leave(leave(group, ("m", None)))).error_code,
        "commit": result(coordinator.commit_offsets(context, commit(group))).topics[0].partitions[0].error_code,
        "fetch": lab.fetch(group).error_code,
        "forget": result(coordinator.delete_offsets(forget(group, []))).error_code,
        "describe": lab.describe(group).error_code,
        "delete": result(coordinator.delete_groups([group]))[0].error_code,
    }


async def test_a_partition_that_is_not_led(lab: GroupLab) -> None:
    lab.coordinator.on_resigned(0)
    assert set(codes(lab, "g").values()) == {errors.NOT_COORDINATOR}
    assert result(lab.coordinator.list_groups((), ())).groups == []


async def test_a_broker_that_stops(lab: GroupLab) -> None:
    lab.coordinator.close()
    assert set(codes(lab, "g").values()) == {errors.COORDINATOR_NOT_AVAILABLE}
    assert result(lab.coordinator.list_groups((), ())).error_code == errors.COORDINATOR_NOT_AVAILABLE


async def test_the_empty_group_id_is_for_offsets_only(lab: GroupLab) -> None:
    refused = {api for api, code in codes(lab, "").items() if code == errors.INVALID_GROUP_ID}
    assert refused == {"join", "sync", "heartbeat", "leave", "forget"}


async def test_groups_are_spread_over_partitions() -> None:
    coordinator = GroupCoordinator(GroupSettings(), FakeClock(), SeededEntropy(1), lambda: 3)
    partitions = [FakePartition() for _ in range(3)]
    for index, partition in enumerate(partitions):
        coordinator.on_leadership(index, partition)
    context = GroupLab().context(8, 9)
    for group in ("g1", "tx-1", "g3"):
        coordinator.commit_offsets(context, commit(group))
    assert [[r.key.group for r in p.records()] for p in partitions] == [["tx-1"], ["g3"], ["g1"]]  # type: ignore[attr-defined]
    assert sorted(g.group_id for g in result(coordinator.list_groups((), ())).groups) == ["g1", "g3", "tx-1"]
    described: Any = coordinator.describe_groups(context, ["g1", "g3", "tx-1", "no"])
    assert sorted((g.group_id, g.group_state) for g in described) == [
        ("g1", "Empty"),
        ("g3", "Empty"),
        ("no", "Dead"),
        ("tx-1", "Empty"),
    ]
    coordinator.close()


async def test_lists_wait_for_the_slowest_partition() -> None:
    coordinator = GroupCoordinator(GroupSettings(), FakeClock(), SeededEntropy(1), lambda: 3)
    partitions = [FakePartition() for _ in range(3)]
    for index, partition in enumerate(partitions):
        partition.commits = False
        coordinator.on_leadership(index, partition)
    context = GroupLab().context(8, 9)
    for group in ("g1", "tx-1", "g3"):
        coordinator.commit_offsets(context, commit(group))
    listed: Any = coordinator.list_groups((), ())
    deleted: Any = coordinator.delete_groups(["g1", "g3", "no"])
    for partition in partitions[:2]:
        partition.commit()
    await settle()
    assert not listed.done() and not deleted.done()
    coordinator.on_resigned(2)  # where g1 and no are
    await settle()
    assert sorted(g.group_id for g in listed.result().groups) == ["g3", "tx-1"]
    assert {d.group_id: d.error_code for d in deleted.result()} == {"g1": 16, "g3": 0, "no": 16}
    coordinator.close()


async def test_the_number_of_partitions_stays_while_the_broker_runs() -> None:
    count = 3
    coordinator = GroupCoordinator(GroupSettings(), FakeClock(), SeededEntropy(1), lambda: count)
    assert coordinator.partition_for("g1") == 2
    count = 50
    before = coordinator.partition_for("g1")
    coordinator.on_leadership(before, FakePartition())
    count = 3
    assert coordinator.partition_for("g1") == before != 2
    coordinator.close()


async def test_settings_are_read_by_kafkas_names() -> None:
    class Config:
        def int(self, name: str) -> int:
            return {
                "group.max.size": 1,
                "group.initial.rebalance.delay.ms": 2,
                "group.min.session.timeout.ms": 3,
                "group.max.session.timeout.ms": 4,
                "offset.metadata.max.bytes": 5,
                "offsets.retention.minutes": 6,
                "offsets.retention.check.interval.ms": 7,
                "offsets.topic.compression.codec": 0,
                "offsets.load.buffer.size": 8,
            }[name]

    assert group_settings(Config()) == GroupSettings(1, 2, 3, 4, 300000, 5, 360000, 7, 0, 8)
