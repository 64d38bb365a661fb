"""Replicas that move between the log directories of their broker while they lead and follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from klamm.kproto.messages.describe_log_dirs import DescribeLogDirsRequest
from klamm.kproto.metadata_records import ConfigRecord
from klamm.log import checkpoint, upkeep
from klamm.metadata.node_metadata import MetadataNode
from klamm.server.handlers import alter_replica_log_dirs, describe_log_dirs
from tests.server.replication_lab import TOPIC_ID, Lab, LabBroker, batch, eventually


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    lab = Lab()
    yield lab
    await lab.stop()


def move(broker: LabBroker, path: str, topic: str = "t", index: int = 0) -> int:
    row = AlterReplicaLogDirsRequest.AlterReplicaLogDir
    topics = [row.AlterReplicaLogDirTopic(name=topic, partitions=[index])]
    request = AlterReplicaLogDirsRequest(dirs=[row(path=path, topics=topics)])
    broker.broker.metadata = cast(MetadataNode, SimpleNamespace(image=broker.lab.image))
    answer = alter_replica_log_dirs.handle(broker.broker, broker.context(apis.ALTER_REPLICA_LOG_DIRS, 2), request)
    return answer.results[0].partitions[0].error_code


def other(broker: LabBroker) -> str:
    return next(path for path in broker.dirs if path != broker.log().log_dir.path)


async def test_a_leader_moves_and_serves_on(lab: Lab) -> None:
    await lab.start(2, dirs=("/a", "/b"))
    lab.create([1, 2])
    for n in range(5):
        await lab[1].produced(batch(3, first=3 * n))
    target = other(lab[1])
    before = await lab[1].fetched(0)
    assert move(lab[1], target) == errors.NONE
    await lab[1].produced(batch(2))
    await eventually(lambda: lab[1].log().log_dir.path == target)
    assert lab.partition().directory(1) == lab[1].log_dirs.directory_ids[target]
    assert lab[1].replicas.by_id(TOPIC_ID, 0).log is lab[1].log()
    after = await lab[1].fetched(0)
    assert bytes(after.records or b"").startswith(bytes(before.records or b"-"))
    assert (await lab[1].produced(batch(1))).base_offset == 17
    assert lab[1].log().epochs.entries() == [(0, 0)]
    await eventually(lambda: lab[2].log().log_end_offset == 18)


async def test_a_follower_moves_while_it_fetches(lab: Lab) -> None:
    await lab.start(2, dirs=("/a", "/b"))
    lab.create([1, 2])
    await lab[1].produced(batch(3))
    target = other(lab[2])
    assert move(lab[2], target) == errors.NONE
    while lab[2].log().log_dir.path != target:
        assert (await lab[1].produced(batch(2, 1000))).error_code == errors.NONE
    assert (await lab[1].produced(batch(1))).error_code == errors.NONE
    assert lab[2].log().log_end_offset == lab[1].log().log_end_offset
    await lab[2].stop()
    await lab.start_broker(lab[2])
    assert lab[2].log().log_dir.path == target
    assert (await lab[1].produced(batch(1))).error_code == errors.NONE


async def test_the_copy_follows_a_cut(lab: Lab) -> None:
    await lab.start(2, dirs=("/a", "/b"))
    lab.create([1, 2])
    await lab[1].produced(batch(3))
    lab[1].is_up = False
    lab.change(leader=2, isr=[2])
    lost = lab[1].produce(batch(4), timeout_ms=100)
    await lost
    target = other(lab[1])
    lab[1].is_up = True
    told: list[bytes] = []
    lab[1].replicas.on_directory = lambda _topic_id, _index, directory_id: told.append(directory_id)
    assert move(lab[1], target) == errors.NONE
    await eventually(lambda: told)
    assert lab[1].replicas.moves.futures()[0][0].log_end_offset == 7
    lab.change(leader=2)
    await lab[2].produced(batch(1))
    lab.assign(1, 0, told[0])
    await eventually(lambda: lab[1].log().log_dir.path == target)
    await eventually(lambda: (lab[1].log().log_end_offset, lab[1].log().high_watermark) == (4, 4))
    assert lab[1].log().epochs.entries() == [(0, 0), (2, 3)]


async def test_a_move_is_described_and_given_up(lab: Lab) -> None:
    await lab.start(1, dirs=("/a", "/b", "/c"))
    lab.create([1])
    await lab[1].produced(batch(3))
    here = lab[1].log().log_dir.path
    first, second = (path for path in lab[1].dirs if path != here)
    lab[1].replicas.moves._quota.rate_max = -1  # nothing moves on
    assert move(lab[1], first) == errors.NONE
    answer = describe_log_dirs.handle(
        lab[1].broker, lab[1].context(apis.DESCRIBE_LOG_DIRS, 4), DescribeLogDirsRequest(topics=None)
    )
    rows = {
        row.log_dir: [(p.is_future_key, p.offset_lag) for t in row.topics for p in t.partitions]
        for row in answer.results
    }
    assert rows == {here: [(False, 0)], first: [(True, 3)], second: []}
    assert move(lab[1], second) == errors.NONE
    assert [f.log_dir.path for f, _ in lab[1].replicas.moves.futures()] == [second]
    lab[1].replicas.moves._quota.rate_max = float("inf")
    await eventually(lambda: lab[1].log().log_dir.path == second)
    assert lab[1].replicas.moves.futures() == []


RATE = "replica.alter.log.dirs.io.max.bytes.per.second"


async def held_up(lab: Lab) -> str:
    """A move that its throttle holds up behind the first part of the records; where to."""
    lab.publish(ConfigRecord(resource_type=4, resource_name="1", name=RATE, value="1000"))
    for n in range(5):
        await lab[1].produced(batch(1, 600_000, first=n))
    target = other(lab[1])
    assert move(lab[1], target) == errors.NONE
    moves = lab[1].replicas.moves
    await eventually(lambda: moves.futures()[0][0].log_end_offset > 0)
    await asyncio.sleep(0.1)
    (future, lag), *_ = moves.futures()
    assert 0 < lag < 5 and future.log_end_offset == 5 - lag
    return target


async def test_a_throttled_move_takes_its_time(lab: Lab) -> None:
    await lab.start(1, dirs=("/a", "/b"))
    lab.create([1])
    target = await held_up(lab)
    lab.publish(ConfigRecord(resource_type=4, resource_name="1", name=RATE, value=None))
    await eventually(lambda: lab[1].log().log_dir.path == target)


@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_start_goes_on_with_an_unfinished_move(lab: Lab, is_clean: bool) -> None:
    await lab.start(1, dirs=("/a", "/b"))
    lab.create([1])
    target = await held_up(lab)
    before = [name for name in lab[1].disk.list_directory(target) if name.endswith("-future")]
    await lab[1].stop(is_clean=is_clean)
    await lab.start_broker(lab[1])
    (future, lag), *_ = lab[1].replicas.moves.futures()
    assert future.log_end_offset == 5 - lag > 0, "what was copied is not copied again"
    assert future.directory == f"{target}/{before[0]}"
    lab.change(leader=1)
    assert (await lab[1].produced(batch(1))).base_offset == 5
    lab.publish(ConfigRecord(resource_type=4, resource_name="1", name=RATE, value=None))
    await eventually(lambda: lab[1].log().log_dir.path == target)
    assert lab[1].log().log_end_offset == 6
    assert lab.partition().directory(1) == lab[1].log_dirs.directory_ids[target]
    await lab[1].stop()
    await lab.start_broker(lab[1])
    assert lab[1].log().log_end_offset == 6 and lab[1].log_dirs.futures == {}


async def test_a_copy_that_is_ahead_after_a_crash_is_cut(lab: Lab) -> None:
    """The replica has lost what its disk had not, and the copy's disk had."""
    await lab.start(2, dirs=("/a", "/b"))
    lab.create([1, 2])
    target = await held_up(lab)
    await lab[1].stop(is_clean=False)
    lab[1].disk.write_atomic(f"{lab[1].log().directory}/{0:020}.log", b"")
    lab.change(leader=2, isr=[2])
    assert (await lab[2].produced(batch(1))).base_offset == 5
    await lab.start_broker(lab[1])
    assert (lab[1].log().log_end_offset, lab[1].log_dirs.futures["t", 0].log_end_offset) == (0, 1)
    lab.publish(ConfigRecord(resource_type=4, resource_name="1", name=RATE, value=None))
    await eventually(lambda: lab[1].log().log_dir.path == target)
    await eventually(lambda: lab[1].log().log_end_offset == 6)
    assert bytes(lab[1].log().read(0, 1 << 23).data) == bytes(lab[2].log().read(0, 1 << 23).data)


async def test_a_replica_that_comes_back_is_not_judged_by_what_was_there_before(lab: Lab) -> None:
    """Checkpoints of a directory forget a replica that has left it, before it comes again."""
    await lab.start(1, dirs=("/a", "/b"))
    lab.create([1])
    await lab[1].produced(batch(3))
    home = lab[1].log().log_dir.path
    upkeep.flush(lab[1].log())
    lab[1].log_dirs.checkpoint_recovery_points()
    points = f"{home}/{checkpoint.RECOVERY_POINT}"
    assert checkpoint.read_offsets(lab[1].disk, points) == {("t", 0): 3}
    assert move(lab[1], other(lab[1])) == errors.NONE
    await eventually(lambda: lab[1].log().log_dir.path != home)
    await lab[1].stop(is_clean=False)
    await lab.start_broker(lab[1])
    lab[1].replicas.moves._quota.rate_max = -1  # nothing moves on
    assert move(lab[1], home) == errors.NONE
    assert checkpoint.read_offsets(lab[1].disk, points) == {}


async def test_a_target_that_fails_ends_the_move(lab: Lab) -> None:
    await lab.start(1, dirs=("/a", "/b"))
    lab.create([1])
    target = await held_up(lab)
    broken = next(directory for directory in lab[1].log_dirs.directories if directory.path == target)
    broken.fail(OSError(5, "broken"))
    await eventually(lambda: lab[1].replicas.moves.futures() == [])
    assert lab[1].log_dirs.futures == {}
    assert (await lab[1].produced(batch(1))).base_offset == 5
    assert move(lab[1], target) == errors.KAFKA_STORAGE_ERROR
    lab[1].log_dirs.checkpoint_recovery_points()


async def test_refusals(lab: Lab) -> None:
    await lab.start(1, dirs=("/a", "/b"))
    lab.create([1])
    assert move(lab[1], "/nowhere") == errors.LOG_DIR_NOT_FOUND
    assert move(lab[1], "/b/") == errors.LOG_DIR_NOT_FOUND
    assert move(lab[1], lab[1].log().log_dir.path) == errors.NONE
    assert move(lab[1], "/b", "long" * 60) == errors.INVALID_TOPIC_EXCEPTION
    assert move(lab[1], "/b", index=7) == errors.UNKNOWN_TOPIC_OR_PARTITION


async def test_a_replica_of_another_broker_is_not_available(lab: Lab) -> None:
    await lab.start(2, dirs=("/a", "/b"))
    lab.create([2])
    assert move(lab[1], "/b") == errors.REPLICA_NOT_AVAILABLE


@pytest.mark.parametrize("path", ["/a", "/b"])
async def test_a_replica_that_is_to_come_is_made_where_it_was_asked_to_be(lab: Lab, path: str) -> None:
    await lab.start(1, dirs=("/a", "/b"))
    assert move(lab[1], path) == errors.UNKNOWN_TOPIC_OR_PARTITION  # and yet it is kept in mind, as in Kafka
    lab.create([1])
    assert lab[1].log().log_dir.path == path
