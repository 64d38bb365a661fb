"""Fetch sessions of followers: what they are told while more than one of the same follower is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.reply import Reply
from klamm.server.handlers import fetch
from tests.server.replication_lab import TOPIC_ID, Lab, eventually

_VERSION = 17


class FollowerConnection:
    """Broker 2 as its leader sees it on one connection: a session that begins with the first fetch."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.session_id = self.session_epoch = 0
        self.offset = 0
        self.high_watermark = -1

    def send(self, *, wait_ms: int = 10_000) -> asyncio.Future[FetchResponse]:
        """Fetch from where the answers have come to; a position is told when it has changed."""
        asked = FetchRequest.FetchTopic.FetchPartition(
            partition=0, current_leader_epoch=0, fetch_offset=self.offset, partition_max_bytes=1 << 20
        )
        request = FetchRequest(
            replica_state=FetchRequest.ReplicaState(replica_id=2, replica_epoch=self.lab[2].epoch),
            max_wait_ms=wait_ms,
            min_bytes=1,
            session_id=self.session_id,
            session_epoch=self.session_epoch,
            topics=[FetchRequest.FetchTopic(topic_id=TOPIC_ID, partitions=[asked])] if self.is_moved else [],
        )
        leader = self.lab[1]
        answer: Any = fetch.handle(leader.broker, leader.context(apis.FETCH, _VERSION), request)
        leader.replicas.read_done()
        if isinstance(answer, Reply):
            return answer.future()
        future: asyncio.Future[FetchResponse] = asyncio.get_running_loop().create_future()
        future.set_result(answer)
        return future

    is_moved = True

    async def take(self, answer: asyncio.Future[FetchResponse]) -> int:
        """How many bytes of records came."""
        response = await asyncio.wait_for(answer, 5)
        assert response.error_code == errors.NONE
        self.session_id, self.session_epoch = response.session_id, self.session_epoch + 1
        rows = [row for topic in response.responses for row in topic.partitions]
        size = sum(len(row.records or b"") for row in rows)
        self.is_moved = size > 0
        if size:
            self.offset = self.lab[1].log().log_end_offset
        return size

    async def settle(self) -> None:
        """Fetch until there is nothing to be told any more."""
        while await self.take(self.send(wait_ms=0)):
            pass
        await self.take(self.send(wait_ms=0))


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    lab = Lab()
    try:
        await lab.start(2)
        lab.create([1, 2])
        await eventually(lambda: lab[1].replicas.get("t", 0).followers)
        await lab[2].stop()  # from here on it is played
        yield lab
    finally:
        await lab.stop()


async def test_what_an_older_connection_still_waits_for_ends_nothing(lab: Lab) -> None:
    """A broker that is back at once: the fetch of its life before waits at the leader until its time is over.

    That life has been put out of the ISR, so that its session looks at the partition until the end.
    """
    lab.fence(2)
    lab.change(isr=[1])
    old, new = FollowerConnection(lab), FollowerConnection(lab)
    await old.settle()
    waiting = old.send(wait_ms=100)
    lab.fence(2, -1)
    await new.settle()
    await eventually(lambda: 2 in lab[1].replicas.get("t", 0).isr)
    await new.settle()
    await waiting
    following = new.send()
    lab[1].produce()
    assert await new.take(following) > 0


async def test_a_fetch_that_comes_late_ends_nothing(lab: Lab) -> None:
    """A request of a lost connection may arrive behind those of the next one: the living session is told all the same,
    with its next fetch at the latest."""
    old, new = FollowerConnection(lab), FollowerConnection(lab)
    await old.settle()
    await new.settle()
    late = FollowerConnection(lab)
    for connection in (old, late):
        await connection.take(connection.send(wait_ms=0))
        await new.take(new.send(wait_ms=0))
        following = new.send()
        lab[1].produce()
        assert await new.take(following) > 0
        await new.settle()


async def test_two_sessions_that_both_fetch_are_both_told(lab: Lab) -> None:
    one, other = FollowerConnection(lab), FollowerConnection(lab)
    await one.settle()
    await other.settle()
    for _ in range(3):
        lab[1].produce()
        assert await one.take(one.send()) > 0
        assert await other.take(other.send()) > 0
        await one.settle()
        await other.settle()
