"""OffsetCommit: partitions that do not exist beside those that do, also when the commit takes its time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from klamm.kproto import errors
from tests.server.handlers.group_broker import NO_TOPIC, GroupBroker, topic_id
from tests.server.handlers.group_requests import commit, fetch

IDS = {"t": topic_id("t"), "u": topic_id("u"), "no": NO_TOPIC}
OFFSETS = (("t", 0, 1, "m"), ("t", 9, 2, "m"), ("no", 0, 3, "m"), ("u", 0, 4, None))


def partitions(answer: Any) -> list[tuple[Any, int, int]]:
    return [(t.name or t.topic_id, p.partition_index, p.error_code) for t in answer.topics for p in t.partitions]


@pytest.mark.parametrize("commits", [True, False])
async def test_by_name(commits: bool) -> None:
    broker = GroupBroker({"t": 1, "u": 1})
    for partition in broker.partitions:
        partition.commits = commits
    answer = broker.call(9, commit("g", offsets=OFFSETS))
    assert isinstance(answer, asyncio.Future) is not commits
    for partition in broker.partitions:
        partition.commit()
    assert partitions(await broker.finish(9, answer)) == [("t", 9, 3), ("t", 0, 0), ("no", 0, 3), ("u", 0, 0)]
    fetched = await broker.ask(7, fetch("g", None))
    assert {(t.name, p.partition_index): p.committed_offset for t in fetched.topics for p in t.partitions} == {
        ("t", 0): 1,
        ("u", 0): 4,
    }


async def test_by_id() -> None:
    broker = GroupBroker({"t": 1, "u": 1})
    answer = await broker.ask(10, commit("g", offsets=OFFSETS, ids=IDS))
    assert partitions(answer) == [(IDS["t"], 9, 3), (IDS["t"], 0, 0), (NO_TOPIC, 0, 100), (IDS["u"], 0, 0)]


async def test_nothing_that_exists_does_not_reach_the_group() -> None:
    broker = GroupBroker({})
    answer = await broker.ask(9, commit("g", 5, "unknown member", offsets=(("no", 0, 1, None),)))
    assert partitions(answer) == [("no", 0, errors.UNKNOWN_TOPIC_OR_PARTITION)]


async def test_an_error_of_the_group_is_said_of_each_partition() -> None:
    broker = GroupBroker({"t": 1})
    answer = await broker.ask(8, commit("g", 5, "m", offsets=(("t", 0, 1, None), ("t", 7, 1, None))))
    assert partitions(answer) == [("t", 7, 3), ("t", 0, errors.ILLEGAL_GENERATION)]


@pytest.mark.parametrize(("extra", "shape"), [((), [1, 1]), ((("t", 9, 0, ""),), [3])])
async def test_a_topic_named_twice_is_answered_once_where_something_is_refused(extra: Any, shape: list[int]) -> None:
    broker = GroupBroker({"t": 1})
    request = commit("g", offsets=(("t", 0, 1, "m"), *extra))
    request.topics += commit("g", offsets=(("t", 0, 2, "m"),)).topics
    answer = await broker.ask(9, request)
    assert [len(topic.partitions) for topic in answer.topics] == shape
