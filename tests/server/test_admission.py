"""A broker has its port from early on, for the cluster is told of it; but nobody gets in before it is unfenced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from klamm.log.memory_disk import MemoryDisk
from klamm.seams import Listening, TcpNetwork
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.node import Node


class WatchedNetwork(TcpNetwork):
    """Tries every address that is not served yet; notes whether the broker was fenced when its address was."""

    def __init__(self) -> None:
        self.node: Node
        self.was_fenced: list[bool] = []

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, is_serving: bool = True
    ) -> Listening:
        listening = await super().listen(factory, host, port, is_serving=is_serving)
        if not is_serving:
            with pytest.raises(ConnectionRefusedError):
                await self.connect(asyncio.Protocol, host, listening.port)
        return _Watched(self, listening)


class _Watched:
    def __init__(self, network: WatchedNetwork, listening: Listening) -> None:
        self._network, self._listening = network, listening
        self.port, self.close = listening.port, listening.close

    async def serve(self) -> None:
        node = self._network.node
        self._network.was_fenced.append(node.metadata.image.cluster.brokers[node.node_id].fenced)
        await self._listening.serve()


async def test_nobody_gets_in_before_the_broker_is_unfenced() -> None:
    network = WatchedNetwork()
    settings = {"listeners": "PLAINTEXT://127.0.0.1:0"}
    node = network.node = Node(
        BrokerConfig.load(profile="test", overrides=settings), disk=MemoryDisk(), network=network
    )
    await node.start()
    try:
        assert network.was_fenced == [False]
        host, _, port = node.bootstrap_servers.rpartition(":")
        await network.connect(asyncio.Protocol, host, int(port))
    finally:
        await node.stop()
