"""What a broker tells the controller of its directories: in batches, again after a failure, and nothing for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest, AssignReplicasToDirsResponse
from klamm.kproto.schema import Message
from klamm.reply import Reply
from klamm.server.directories import DirectoryReports

TOPIC_ID, HERE, THERE = b"t" * 16, b"h" * 16, b"e" * 16
Told = AssignReplicasToDirsResponse.DirectoryData


class Clock:
    """Time passes only by waiting, at once; how long it was is noted."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def call_later(self, delay_ms: float, callback: Any) -> Any:
        self.waits.append(delay_ms)
        return asyncio.get_running_loop().call_soon(callback)


class Controller:
    """Answers each partition with the next of `codes` for it, then with none; the first `deaf` requests fail whole."""

    def __init__(self, codes: dict[int, list[int]], deaf: int = 0) -> None:
        self.codes, self.deaf = codes, deaf
        self.asked: list[list[tuple[bytes, int]]] = []

    def send(self, request: Message) -> Reply[Message]:
        assert isinstance(request, AssignReplicasToDirsRequest) and request.broker_epoch == 5
        rows = [(d.id, p.partition_index) for d in request.directories for t in d.topics for p in t.partitions]
        self.asked.append(rows)
        reply: Reply[Message] = Reply()
        if len(self.asked) <= self.deaf:
            reply.resolve(KafkaError(errors.REQUEST_TIMED_OUT))
            return reply
        told = [
            Told(
                id=directory_id,
                topics=[
                    Told.TopicData(
                        topic_id=TOPIC_ID,
                        partitions=[
                            Told.TopicData.PartitionData(
                                partition_index=index,
                                error_code=self.codes[index].pop(0) if self.codes.get(index) else errors.NONE,
                            )
                        ],
                    )
                ],
            )
            for directory_id, index in rows
        ]
        reply.resolve(AssignReplicasToDirsResponse(throttle_time_ms=0, error_code=errors.NONE, directories=told))
        return reply


@pytest.fixture
async def clock() -> AsyncIterator[Clock]:
    yield Clock()


def reports(controller: Any, clock: Any) -> DirectoryReports:
    lifecycle: Any = SimpleNamespace(broker_epoch=5)
    return DirectoryReports(
        controller, lifecycle, clock, node_id=1, retry_ms=100, failure_timeout_ms=1000, give_up=lambda _: None
    )


async def at_rest() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_what_fails_is_told_again_later_and_later(clock: Clock) -> None:
    controller = Controller({1: [errors.UNKNOWN_SERVER_ERROR]}, deaf=2)
    made = reports(controller, clock)
    for index in range(3):
        made.assign(TOPIC_ID, index, HERE)
    await at_rest()
    all_three = [(HERE, 0), (HERE, 1), (HERE, 2)]
    assert controller.asked == [all_three, all_three, all_three, [(HERE, 1)]]
    assert clock.waits == [100, 200, 400, 800]


async def test_the_last_that_is_known_counts(clock: Clock) -> None:
    controller = Controller({}, deaf=1)
    made = reports(controller, clock)
    made.assign(TOPIC_ID, 0, HERE)
    made.assign(TOPIC_ID, 0, THERE)
    await at_rest()
    assert controller.asked == [[(THERE, 0)]] * 2


@pytest.mark.parametrize(
    "code", [errors.UNKNOWN_TOPIC_ID, errors.UNKNOWN_TOPIC_OR_PARTITION, errors.NOT_LEADER_OR_FOLLOWER]
)
async def test_what_is_not_here_any_more_is_not_told_again(clock: Clock, code: int) -> None:
    controller = Controller({0: [code] * 100})
    reports(controller, clock).assign(TOPIC_ID, 0, HERE)
    await at_rest()
    assert controller.asked == [[(HERE, 0)]]
