"""A whole node whose log directories fail, on the disk in memory: clients, metadata, the end of the node."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.records import Record, build_batch
from klamm.kproto.schema import Message
from klamm.kproto.uuids import UNASSIGNED_DIR
from klamm.log import recovery
from klamm.log.disk import RealDisk
from klamm.log.memory_disk import MemoryDisk
from klamm.server.broker_lifecycle import BrokerLifecycle
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.node import Node


class FailingDisk(MemoryDisk):
    """Its atomic writes fail below the paths in `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()

    def write_atomic(self, path: str, data: bytes) -> None:
        if any(path.startswith(broken + "/") for broken in self.broken):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        super().write_atomic(path, data)


DIRS = ("/first", "/second")


async def start(disk: FailingDisk, **overrides: str) -> Node:
    settings = {"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": ",".join(DIRS), **overrides}
    node = Node(BrokerConfig.load(profile="test", overrides=settings), disk=disk)
    await node.start()
    return node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = await start(FailingDisk())
    yield node
    if not node.failed.done():
        await node.stop()


async def create(node: Node, name: str, partitions: int) -> None:
    row = CreateTopicsRequest.CreatableTopic
    topic = row(name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=[])
    request = CreateTopicsRequest(topics=[topic], timeout_ms=1000, validate_only=False)
    await decided(node, request)


async def decided(node: Node, request: Message) -> None:
    answer = node.metadata.submit(request)
    await asyncio.wait_for(answer, 10) if isinstance(answer, asyncio.Future) else answer


async def until(condition: Any) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come")


def partition(node: Node, name: str, index: int) -> Any:
    return node.metadata.image.topics.by_name[name].partitions[index]


def in_directory(node: Node, path: str) -> list[int]:
    return sorted(
        index for (name, index), log in node.log_dirs.logs.items() if name == "t" and log.log_dir.path == path
    )


def append(node: Node, index: int) -> int:
    batch = memoryview(bytearray(build_batch([Record(0, node.clock.time_ms(), b"k", b"v")], base_offset=0)))
    return int(node.broker.replicas.get("t", index).append(batch, node.clock.time_ms()).base_offset)


async def test_the_controller_learns_where_new_partitions_are(node: Node) -> None:
    await create(node, "t", 6)
    assert {partition(node, "t", n).directories for n in range(6)} == {(UNASSIGNED_DIR,)}
    await until(lambda: all(partition(node, "t", n).directories != (UNASSIGNED_DIR,) for n in range(6)))
    for path in DIRS:
        known = {partition(node, "t", n).directories for n in in_directory(node, path)}
        assert known == {(node.log_dirs.directory_ids[path],)} and len(in_directory(node, path)) == 3


async def test_one_directory_fails(node: Node) -> None:
    await create(node, "t", 4)
    await until(lambda: partition(node, "t", 3).directories != (UNASSIGNED_DIR,))
    ids = dict(node.log_dirs.directory_ids)
    lost, kept = in_directory(node, "/second"), in_directory(node, "/first")
    woken = []
    node.broker.replicas.get("t", lost[0]).waiters[lambda: woken.append(True)] = None
    node.log_dirs.directories[1].fail(OSError(errno.EIO, "Input/output error"))
    await until(lambda: all(not partition(node, "t", n).has_leader for n in lost))
    assert woken
    broker = node.metadata.image.cluster.brokers[node.node_id]
    assert broker.log_dirs == (ids["/first"],) and not broker.fenced
    for index in lost:
        row = partition(node, "t", index)
        assert (row.isr, row.elr, row.last_known_elr) == ((), (node.node_id,), (node.node_id,))
        for look_up in (
            lambda index=index: node.broker.replicas.get("t", index),
            lambda index=index: node.broker.replicas.by_id(node.metadata.image.topics.by_name["t"].topic_id, index),
        ):
            with pytest.raises(KafkaError) as caught:
                look_up()
            assert caught.value.code == errors.KAFKA_STORAGE_ERROR
    assert [append(node, index) for index in kept] == [0, 0]
    await create(node, "u", 3)
    assert {log.log_dir.path for (name, _), log in node.log_dirs.logs.items() if name == "u"} == {"/first"}
    assert not node.failed.done()


async def test_the_directory_is_back_after_a_restart() -> None:
    disk = FailingDisk()
    node = await start(disk)
    await create(node, "t", 4)
    await until(lambda: partition(node, "t", 3).directories != (UNASSIGNED_DIR,))
    assert [append(node, n) for n in range(4)] == [0] * 4
    lost = in_directory(node, "/second")
    node.log_dirs.directories[1].fail(OSError(errno.EIO, "Input/output error"))
    await until(lambda: not partition(node, "t", lost[-1]).has_leader)
    await node.stop()
    node = await start(disk)
    assert [append(node, n) for n in range(4)] == [1] * 4
    assert all(partition(node, "t", n).leader == node.node_id for n in range(4))
    await node.stop()


async def test_the_directory_of_the_metadata_fails(node: Node) -> None:
    node.log_dirs.directories[0].fail(OSError(errno.EIO, "Input/output error"))
    reason = await asyncio.wait_for(node.failed, 10)
    assert "/first" in reason and "metadata" in reason and "Input/output error" in reason
    await node.halt()
    disk: Any = node.log_dirs.disk
    assert not any(disk.exists(f"{path}/.kafka_cleanshutdown") for path in DIRS)
    for path in DIRS:
        disk.lock(f"{path}/.lock").release()


async def test_a_checkpoint_that_fails_takes_its_directory_offline(node: Node) -> None:
    await create(node, "t", 4)
    disk: Any = node.log_dirs.disk
    disk.broken.add("/second")
    node.log_dirs.checkpoint_high_watermarks()
    lost = in_directory(node, "/second")
    await until(lambda: len(in_directory(node, "/second")) == 0)
    with pytest.raises(KafkaError):
        node.broker.replicas.get("t", lost[0])


async def test_a_topic_deleted_and_made_again_beside_a_failed_directory(node: Node) -> None:
    from klamm.kproto.messages.delete_topics import DeleteTopicsRequest

    await create(node, "t", 2)
    (lost,) = in_directory(node, "/second")
    node.log_dirs.directories[1].fail(OSError(errno.EIO, "Input/output error"))
    await until(lambda: not in_directory(node, "/second"))
    request = DeleteTopicsRequest(
        topics=[DeleteTopicsRequest.DeleteTopicState(name="t", topic_id=bytes(16))], timeout_ms=1000
    )
    await decided(node, request)
    await create(node, "t", 2)
    assert append(node, lost) == 0 and in_directory(node, "/first") == [0, 1]


async def test_a_failure_that_the_controller_cannot_be_told(monkeypatch: Any) -> None:
    node = await start(FailingDisk(), **{"log.dir.failure.timeout.ms": "50", "broker.heartbeat.interval.ms": "10"})

    async def refuse(*_: Any) -> None:
        raise KafkaError(errors.NOT_CONTROLLER)

    monkeypatch.setattr(BrokerLifecycle, "report_offline", refuse)
    node.log_dirs.directories[1].fail(OSError(errno.EIO, "Input/output error"))
    assert "was not told of the failed directory" in await asyncio.wait_for(node.failed, 10)
    await node.halt()


async def test_a_start_that_is_told_to_stop_while_it_recovers(tmp_path: Path, monkeypatch: Any) -> None:
    """Ctrl-C in a long recovery: the log at hand is finished, no other begun, and nothing is called clean."""

    def make() -> Node:
        settings = {"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": str(tmp_path / "data")}
        return Node(BrokerConfig.load(profile="test", overrides=settings), disk=RealDisk())

    node = make()
    await node.start()
    await create(node, "t", 5)
    assert [append(node, n) for n in range(5)] == [0] * 5
    await node.halt()
    opened = recovery.open_log
    at_work, go_on = threading.Event(), threading.Event()
    count = []

    def slow(log_dir: Any, path: str, *args: Any, **kwargs: Any) -> Any:
        if "__cluster_metadata" not in path:
            count.append(path)
            at_work.set()
            assert go_on.wait(10)
        return opened(log_dir, path, *args, **kwargs)

    monkeypatch.setattr(recovery, "open_log", slow)
    node = make()
    starting = asyncio.ensure_future(node.start())
    await until(at_work.is_set)
    starting.cancel()
    threading.Timer(0.1, go_on.set).start()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert 0 < len(count) <= 2  # one a thread
    assert not (tmp_path / "data/.kafka_cleanshutdown").exists()
    monkeypatch.undo()
    node = make()
    seen: list[tuple[int, int]] = []
    await node.start(lambda done, total: seen.append((done, total)))
    assert [append(node, n) for n in range(5)] == [1] * 5 and seen[-1] == (5, 5)
    await node.stop()
