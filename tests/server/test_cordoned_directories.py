"""Log directories that take nothing new (KIP-1066): set at the start or while the broker runs, and told at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.messages.describe_log_dirs import DescribeLogDirsRequest
from klamm.kproto.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from klamm.kproto.schema import Message
from klamm.log.memory_disk import MemoryDisk
from klamm.metadata.controller.configs import SET
from klamm.metadata.image.image import BROKER_RESOURCE
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.handlers import describe_log_dirs
from klamm.server.node import Node
from klamm.server.request import RequestContext

DIRS = ("/first", "/second")


async def start(**overrides: str) -> Node:
    settings = {
        "listeners": "PLAINTEXT://127.0.0.1:0",
        "log.dirs": ",".join(DIRS),
        # What is told is told long before the next heartbeat.
        "broker.heartbeat.interval.ms": "600000",
        "broker.session.timeout.ms": "3600000",
        **{name.replace("_", "."): value for name, value in overrides.items()},
    }
    node = Node(BrokerConfig.load(profile="test", overrides=settings), disk=MemoryDisk())
    await node.start()
    return node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = await start()
    yield node
    await node.stop()


async def decided(node: Node, request: Message) -> Message:
    answer = node.metadata.submit(request)
    return await asyncio.wait_for(answer, 10) if isinstance(answer, asyncio.Future) else answer


async def create(node: Node, name: str, partitions: int = 4) -> int:
    row = CreateTopicsRequest.CreatableTopic
    topic = row(name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=[])
    answer = await decided(node, CreateTopicsRequest(topics=[topic], timeout_ms=1000))
    assert isinstance(answer, CreateTopicsResponse)
    return answer.topics[0].error_code


def cordoning(node: Node, paths: str) -> IncrementalAlterConfigsRequest:
    row = IncrementalAlterConfigsRequest.AlterConfigsResource
    change = row.AlterableConfig(name="cordoned.log.dirs", config_operation=SET, value=paths)
    resource = row(resource_type=BROKER_RESOURCE, resource_name=str(node.node_id), configs=[change])
    return IncrementalAlterConfigsRequest(resources=[resource])


async def cordon(node: Node, paths: str) -> None:
    """Returns when the metadata has it."""
    answer = await decided(node, cordoning(node, paths))
    assert isinstance(answer, IncrementalAlterConfigsResponse) and answer.responses[0].error_code == errors.NONE
    wanted = {node.log_dirs.directory_ids[path] for path in DIRS if path in paths or paths == "*"}
    await until(lambda: told(node) == wanted)


def told(node: Node) -> set[bytes]:
    return set(node.metadata.image.cluster.brokers[node.node_id].cordoned_log_dirs or ())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def places(node: Node, topic: str) -> list[str]:
    return [log.log_dir.path for (name, _), log in sorted(node.log_dirs.logs.items()) if name == topic]


def described(node: Node) -> dict[str, bool]:
    context = RequestContext(apis.DESCRIBE_LOG_DIRS, 5, "c", "127.0.0.1", "PLAINTEXT", 1)
    answer = describe_log_dirs.handle(node.broker, context, DescribeLogDirsRequest(topics=None))
    return {row.log_dir: row.is_cordoned for row in answer.results}


async def test_new_partitions_keep_away(node: Node) -> None:
    assert await create(node, "before", 2) == errors.NONE
    assert sorted(places(node, "before")) == list(DIRS)
    assert described(node) == {"/first": False, "/second": False}
    await cordon(node, "/first")
    assert described(node) == {"/first": True, "/second": False}
    assert await create(node, "t") == errors.NONE
    assert places(node, "t") == ["/second"] * 4
    assert node.broker.replicas.move("t", 0, "/first") == errors.INVALID_REPLICA_ASSIGNMENT
    assert node.broker.replicas.move("t", 0, "/second") == errors.NONE
    await cordon(node, "")
    assert node.broker.replicas.move("t", 0, "/first") == errors.NONE
    await until(lambda: places(node, "t").count("/first") == 1)


@pytest.mark.parametrize("paths", ["*", "/first,/second"])
async def test_a_broker_whose_directories_are_all_cordoned_gets_nothing_new(node: Node, paths: str) -> None:
    await cordon(node, paths)
    assert await create(node, "t") == errors.INVALID_REPLICATION_FACTOR
    await cordon(node, "/second")
    assert await create(node, "t") == errors.NONE
    assert places(node, "t") == ["/first"] * 4


async def test_cordoned_from_the_start_on() -> None:
    node = await start(cordoned_log_dirs="*")
    try:
        assert described(node) == {"/first": True, "/second": True}
        assert await create(node, "t") == errors.INVALID_REPLICATION_FACTOR
        await cordon(node, "/first")
        assert await create(node, "t") == errors.NONE
    finally:
        await node.stop()


async def test_what_comes_while_a_heartbeat_is_under_way_is_told_with_the_next(node: Node) -> None:
    for paths in ("/first", "/second", "/first,/second", "/second"):
        await decided(node, cordoning(node, paths))
    await until(lambda: told(node) == {node.log_dirs.directory_ids["/second"]})
