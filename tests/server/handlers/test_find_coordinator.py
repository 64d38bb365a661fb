"""FindCoordinator: creating the topic, and partitions that nobody can be asked about."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest
from tests.server.handlers.group_broker import GroupBroker, topic_id


def ask(*keys: str, kind: int = 0) -> FindCoordinatorRequest:
    return FindCoordinatorRequest(key_type=kind, coordinator_keys=list(keys))


def codes(answer: Any) -> list[int]:
    return [c.error_code for c in answer.coordinators]


@pytest.fixture
async def broker() -> GroupBroker:
    return GroupBroker({})


@pytest.mark.parametrize(
    ("kind", "topic"), [(0, "__consumer_offsets"), (1, "__transaction_state"), (2, "__share_group_state")]
)
async def test_the_first_look_up_creates_the_topic(broker: GroupBroker, kind: int, topic: str) -> None:
    key = "g:AAAAAAAAAAAAAAAAAAAAAQ:0"
    answer = await broker.ask(6, ask(key, kind=kind))
    assert broker.topics.created == [topic]
    found = answer.coordinators[0]
    assert (found.error_code, found.key, found.node_id, found.host, found.port) == (0, key, 1, "127.0.0.1", 9092)
    await broker.ask(6, ask(key, kind=kind))
    assert broker.topics.created == [topic]


async def test_no_keys_create_nothing(broker: GroupBroker) -> None:
    assert (await broker.ask(4, ask())).coordinators == []
    assert broker.topics.created == []


async def test_a_topic_that_cannot_be_created(broker: GroupBroker) -> None:
    broker.topics.fails = True
    assert codes(await broker.ask(4, ask("g"))) == [errors.COORDINATOR_NOT_AVAILABLE]
    old = await broker.ask(1, FindCoordinatorRequest(key="g"))
    assert (old.error_code, old.node_id, old.host, old.port) == (errors.COORDINATOR_NOT_AVAILABLE, -1, "", -1)
    assert old.error_message


async def test_a_leader_that_is_fenced_or_not_there(broker: GroupBroker) -> None:
    await broker.ask(4, ask("g"))
    broker.metadata.apply(m.FenceBrokerRecord(id=1, epoch=1))
    assert codes(await broker.ask(4, ask("g"))) == [errors.COORDINATOR_NOT_AVAILABLE]
    broker.metadata.apply(m.UnfenceBrokerRecord(id=1, epoch=1))
    assert codes(await broker.ask(4, ask("g"))) == [errors.NONE]
    index = broker.groups.partition_for("g")
    broker.metadata.apply(
        m.PartitionChangeRecord(partition_id=index, topic_id=topic_id("__consumer_offsets"), leader=-1)
    )
    assert codes(await broker.ask(4, ask("g"))) == [errors.COORDINATOR_NOT_AVAILABLE]


@pytest.mark.parametrize(
    "key", ["g", "g:AAAAAAAAAAAAAAAAAAAAAQ", "g:AAAAAAAAAAAAAAAAAAAAAQ:x", ":AAAAAAAAAAAAAAAAAAAAAQ:0"]
)
async def test_what_is_no_share_partition(broker: GroupBroker, key: str) -> None:
    assert codes(await broker.ask(6, ask(key, kind=2))) == [errors.INVALID_REQUEST]
