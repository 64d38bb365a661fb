"""OffsetFetch: errors of a group in each form, several groups, ids of topics that are gone."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.group_records import OffsetCommitKey, OffsetCommitValue
from tests.server.handlers.group_broker import GroupBroker, topic_id
from tests.server.handlers.group_requests import commit, fetch, fetch_groups


@pytest.fixture
async def broker() -> GroupBroker:
    return GroupBroker({"t": 2, "u": 1})


def offsets(topics: Any) -> dict[tuple[Any, int], tuple[int, int]]:
    return {(t.name, p.partition_index): (p.committed_offset, p.error_code) for t in topics for p in t.partitions}


async def test_version_1_says_it_of_each_partition(broker: GroupBroker) -> None:
    for index in range(3):
        broker.groups.on_resigned(index)
    answer = await broker.ask(1, fetch("g", [("t", (0, 1))]))
    assert offsets(answer.topics) == {("t", 0): (-1, 16), ("t", 1): (-1, 16)}


@pytest.mark.parametrize("version", [2, 5, 7])
async def test_versions_2_to_7_say_it_at_the_top(broker: GroupBroker, version: int) -> None:
    for index in range(3):
        broker.groups.on_resigned(index)
    answer = await broker.ask(version, fetch("g", [("t", (0, 1))]))
    assert (answer.error_code, answer.topics) == (errors.NOT_COORDINATOR, [])


async def test_groups_of_several_partitions(broker: GroupBroker) -> None:
    broker.groups.on_resigned(broker.groups.partition_for("g1"))
    await broker.ask(9, commit("g3"))
    answer = await broker.ask(8, fetch_groups(("g1", None), ("g3", None), ("no", [("t", (1,))])))
    found = {g.group_id: (g.error_code, offsets(g.topics)) for g in answer.groups}
    assert found["g1"] == (16, {})
    assert found["g3"] == (0, {("t", 0): (5, 0)})


async def test_a_deleted_topic_has_no_offsets_by_id(broker: GroupBroker) -> None:
    """Between its deletion and that of its offsets; a new topic of that name does not inherit them."""
    await broker.ask(9, commit("g", offsets=(("t", 0, 1, "m"), ("u", 0, 2, "m"))))
    broker.metadata.apply(m.RemoveTopicRecord(topic_id=topic_id("u")))
    ids = {"t": topic_id("t"), "u": topic_id("u")}
    everything = await broker.ask(10, fetch_groups(("g", None), ids=ids))
    assert [t.topic_id for t in everything.groups[0].topics] == [topic_id("t")]
    asked = await broker.ask(10, fetch_groups(("g", [("t", (0,)), ("u", (0,))]), ids=ids))
    found = {t.topic_id: (t.partitions[0].committed_offset, t.partitions[0].error_code) for t in asked.groups[0].topics}
    assert found == {topic_id("t"): (1, 0), topic_id("u"): (-1, errors.UNKNOWN_TOPIC_ID)}
    broker.metadata.apply(m.TopicRecord(name="u", topic_id=b"\x09" * 16))
    again = await broker.ask(9, fetch_groups(("g", [("u", (0,))])))
    assert again.groups[0].topics[0].partitions[0].committed_offset == -1


@pytest.mark.parametrize("version", [7, 9])
async def test_require_stable(broker: GroupBroker, version: int) -> None:
    shard = broker.groups._shards[broker.groups.partition_for("g")]
    await broker.ask(9, commit("g"))
    value = OffsetCommitValue(offset=9, metadata="", commit_timestamp=0)
    shard.machine.offset_table.apply(OffsetCommitKey(group="g", topic="t", partition=0), value, producer_id=4)
    for stable, expected in ((False, (5, 0)), (True, (-1, errors.UNSTABLE_OFFSET_COMMIT))):
        request = fetch("g", [("t", (0,))], stable=stable)
        if version >= 8:
            request = fetch_groups(("g", [("t", (0,))]))
            request.require_stable = stable
        answer = await broker.ask(version, request)
        topics = answer.topics if version < 8 else answer.groups[0].topics
        assert offsets(topics) == {("t", 0): expected}
