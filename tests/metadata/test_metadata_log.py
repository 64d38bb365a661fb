"""The log under the controller: large changes, refusals, what a resigned leader does."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.errors import KafkaError
from klamm.metadata import metadata_log
from klamm.metadata.log_replay import read_back
from klamm.metadata.raft.core import Resign
from klamm.metadata.raft.history import QuorumHistory


async def test_large_change_is_one_transaction(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await lab.start()
    since = running.node.log.end_offset
    monkeypatch.setattr(metadata_log, "RECORDS_PER_BATCH_MAX", 10)
    response = await running.create(lab.topic("a", 25))
    assert response.topics[0].error_code == errors.NONE
    batches = running.batches(since)
    assert [len(batch) for batch in batches] == [10, 10, 8]
    assert type(batches[0][0]) is m.BeginTransactionRecord and type(batches[-1][-1]) is m.EndTransactionRecord
    assert running.image.offset == since + 27
    assert len(running.image.topics.by_name["a"].partitions) == 25
    storage, history = running.node.storage, QuorumHistory()
    found = read_back(running.node.log.log, lab.disk, history, storage.node_id, storage.directory_id)
    assert found.is_whole and found.replay.build() == running.image


async def test_crash_within_a_large_change_leaves_nothing_of_it(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await lab.start()
    monkeypatch.setattr(metadata_log, "RECORDS_PER_BATCH_MAX", 10)
    await running.create(lab.topic("a", 25))
    data = running.log_bytes()
    last = len(data) - data[::-1].index(data[-1:]) - 1
    running.kill()
    file = lab.disk.open("/data/__cluster_metadata-0/00000000000000000000.log")
    file.truncate(last)  # the batch with the end of the transaction is torn
    file.close()
    again = await lab.start()
    assert not again.image.topics.by_name
    aborts = [r for batch in again.batches() for r in batch if isinstance(r, m.AbortTransactionRecord)]
    assert [a.reason for a in aborts] == ["Controller failover"]
    assert (await again.create(lab.topic("a"))).topics[0].error_code == errors.NONE


async def test_too_large_change_is_refused_and_the_controller_lives(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await lab.start()
    end_offset = running.node.log.end_offset
    monkeypatch.setattr(metadata_log, "BATCH_SIZE_BYTES_MAX", 1000)
    with pytest.raises(KafkaError) as caught:
        await running.create(lab.topic("a", 100))
    assert caught.value.code == errors.RECORD_LIST_TOO_LARGE
    assert running.node.log.end_offset == end_offset
    assert (await running.create(lab.topic("b"))).topics[0].error_code == errors.NONE
    assert list(running.image.topics.by_name) == ["b"]


async def test_resigned_leader_refuses(lab: Any) -> None:
    running = await lab.start()
    running.node.log.step(Resign())
    with pytest.raises(KafkaError) as caught:
        running.node.log.append([m.NoOpRecord()], 30)
    assert caught.value.code == errors.NOT_CONTROLLER


async def test_high_watermark_moves_with_the_partition_log(lab: Any) -> None:
    running = await lab.start()
    log = running.node.log
    await running.create(lab.topic("a"))
    assert log.high_watermark == log.end_offset == log.log.high_watermark == log.log.recovery_point


async def test_nothing_is_synced_behind_the_close(lab: Any) -> None:
    running = await lab.start()
    waiting = running.create(lab.topic("a"))  # a coroutine: nothing has run yet
    answer = running.node.submit(lab.creation(lab.topic("b")))
    running.node.close()
    running.log_dirs.close(running.broker.broker_epoch)
    jobs: list[Any] = []
    running.log_dirs.flusher.submit = lambda work, done: jobs.append(work)
    await lab.turns()
    assert not jobs
    with pytest.raises(KafkaError) as caught:
        await answer
    assert caught.value.code == errors.NOT_CONTROLLER
    with pytest.raises(KafkaError):
        await waiting
