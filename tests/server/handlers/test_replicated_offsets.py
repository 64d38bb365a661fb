"""DeleteRecords and ListOffsets of partitions with several replicas: what they wait for, and what they do not know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.reply import Reply
from klamm.server.handlers import delete_records, list_offsets
from tests.server.replication_lab import TOPIC, Lab, batch, eventually

_LATEST = -1
_FIRST_TIMESTAMP = 1_700_000_000_000


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    lab = Lab()
    yield lab
    await lab.stop()


def delete(lab: Lab, offset: int, timeout_ms: int) -> asyncio.Future[DeleteRecordsResponse]:
    row = DeleteRecordsRequest.DeleteRecordsTopic
    asked = row.DeleteRecordsPartition(partition_index=0, offset=offset)
    request = DeleteRecordsRequest(topics=[row(name=TOPIC, partitions=[asked])], timeout_ms=timeout_ms)
    answer: Any = delete_records.handle(lab[1].broker, lab[1].context(apis.DELETE_RECORDS, 2), request)
    assert isinstance(answer, Reply)  # followers are to delete, too: nothing is answered at once
    lab[1].replicas.read_done()
    return answer.future()


async def deleted(answer: asyncio.Future[DeleteRecordsResponse]) -> tuple[int, int]:
    """(error code, low watermark)"""
    row = (await asyncio.wait_for(answer, 10)).topics[0].partitions[0]
    return row.error_code, row.low_watermark


async def test_deletion_is_answered_when_all_replicas_have_deleted(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2, 3])
    await lab[1].produced(batch(1))
    await lab[1].produced(batch(1))
    assert await deleted(delete(lab, 1, 10_000)) == (errors.NONE, 1)
    assert [b.log().log_start_offset for b in lab.brokers.values()] == [1, 1, 1]


async def test_deletion_times_out_while_a_live_replica_does_not_follow(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced(batch(1))
    await lab[2].stop()
    assert (await deleted(delete(lab, 1, 50)))[0] == errors.REQUEST_TIMED_OUT
    assert lab[1].log().log_start_offset == 1  # it has begun, and is not taken back


async def test_deletion_waits_no_longer_for_a_broker_that_is_fenced(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced(batch(1))
    await lab[2].stop()
    answer = delete(lab, 1, 10_000)
    await asyncio.sleep(0)
    assert not answer.done()
    lab.fence(2)
    assert await deleted(answer) == (errors.NONE, 1)


async def test_a_leader_that_resigns_says_so_to_who_waits_for_deletion(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced(batch(1))
    await lab[2].stop()
    answer = delete(lab, 1, 10_000)
    lab.change(leader=2)
    assert await deleted(answer) == (errors.NOT_LEADER_OR_FOLLOWER, -1)


def latest(lab: Lab, version: int, timestamp: int = _LATEST) -> tuple[int, int]:
    """(error code, offset) as broker 2 answers."""
    row = ListOffsetsRequest.ListOffsetsTopic
    asked = row.ListOffsetsPartition(partition_index=0, current_leader_epoch=-1, timestamp=timestamp)
    request = ListOffsetsRequest(replica_id=-1, isolation_level=0, topics=[row(name=TOPIC, partitions=[asked])])
    answer = list_offsets.handle(lab[2].broker, lab[2].context(apis.LIST_OFFSETS, version), request)
    result = answer.topics[0].partitions[0]
    return result.error_code, result.offset


async def test_a_new_leader_names_no_end_before_it_knows_what_is_committed(lab: Lab) -> None:
    """KIP-207. Broker 3 is in sync and away, so that nobody knows whether it has what the others have."""
    await lab.start(3, replica_lag_time_max_ms="60000")
    lab.create([1, 2, 3])
    await lab[3].stop()
    lab[1].produce(batch(3), timeout_ms=60_000)
    await eventually(lambda: lab[2].log().log_end_offset == 3)
    await lab[1].stop()
    lab.change(leader=2, isr=[2, 3])
    assert lab[2].log().high_watermark == 0
    for version, code in ((11, errors.OFFSET_NOT_AVAILABLE), (5, errors.OFFSET_NOT_AVAILABLE)):
        assert latest(lab, version)[0] == code
        assert latest(lab, version, _FIRST_TIMESTAMP)[0] == code
    assert latest(lab, 4)[0] == errors.LEADER_NOT_AVAILABLE
    assert latest(lab, 11, _FIRST_TIMESTAMP + 10) == (errors.NONE, -1)  # there is no such record, committed or not
    lab.change(isr=[2])
    assert latest(lab, 11) == (errors.NONE, 3)
    assert latest(lab, 11, _FIRST_TIMESTAMP) == (errors.NONE, 0)
