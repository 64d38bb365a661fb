"""What every simulated client shares: connections to brokers, who leads what, and asking until somebody answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from klamm.channel import Channel, Channels
from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest
from klamm.kproto.messages.metadata import MetadataRequest
from klamm.kproto.schema import Message
from klamm.seams import SeededEntropy
from tests.sim.sim_history import History, Key
from tests.sim.sim_loop import Owner, SimClock

if TYPE_CHECKING:
    from tests.sim.sim_cluster import SimCluster

REQUEST_TIMEOUT_MS = 3000
RETRY_MS = 100

Address = tuple[str, int]


class NotNow(Exception):
    """Worth trying again: no leader, no broker that answers."""


class Client:
    """A process on a host of its own. `ask` raises KafkaError for what the connection does to a request."""

    def __init__(self, cluster: SimCluster, history: History, name: str) -> None:
        self.cluster, self.history, self.name = cluster, history, name
        self.random = SeededEntropy(cluster.seed * 7919 + sum(name.encode()))
        self.owner = Owner(cluster.loop, name)
        host = cluster.network.host(name)
        host.owner = self.owner
        self._channels = Channels(cluster.network.of(name), SimClock(cluster.loop))
        self._open: dict[Address, Channel] = {}
        self._brokers: dict[int, Address] = {}
        self._leaders: dict[Key, int] = {}
        self.epochs: dict[Key, int] = {}
        """The newest leader epoch known; who leads in an older one refuses to be asked."""

    async def ask(self, address: Address, request: Message, version: int | None = None) -> Any:
        """The answer. Raises KafkaError."""
        channel = self._open.get(address)
        if channel is None:
            channel = self._open[address] = Channel(
                self._channels, *address, client_id=self.name, request_timeout_ms=REQUEST_TIMEOUT_MS
            )
        return await channel.send(request, version).future()

    async def rest(self, ms: float = RETRY_MS) -> None:
        await asyncio.sleep(ms * (0.5 + self.random.random()) / 1000)

    def any_broker(self) -> Address:
        """One of all brokers, alive or not."""
        addresses = self.cluster.addresses
        return addresses[self.random.randrange(len(addresses))]

    async def refresh(self, topic: str) -> None:
        """Ask somebody who leads the partitions of a topic. Raises NotNow."""
        try:
            row = MetadataRequest.MetadataRequestTopic(name=topic)
            answer = await self.ask(
                self.any_broker(), MetadataRequest(topics=[row], allow_auto_topic_creation=False), 12
            )
        except KafkaError as error:
            raise NotNow(str(error)) from None
        self._brokers = {broker.node_id: (broker.host, broker.port) for broker in answer.brokers}
        for found in answer.topics:
            for partition in found.partitions:
                key = found.name, partition.partition_index
                # Clients do not believe a broker that is behind what another one has told (KIP-320).
                if partition.leader_epoch >= self.epochs.get(key, -1):
                    self.epochs[key] = partition.leader_epoch
                    self._leaders[key] = partition.leader_id

    async def leader(self, key: Key) -> Address:
        """The broker that leads a partition, as far as is known. Raises NotNow."""
        if key not in self._leaders:
            await self.refresh(key[0])
        address = self._brokers.get(self._leaders.get(key, -1))
        if address is None:
            self._leaders.pop(key, None)
            raise NotNow(f"nobody leads {key}")
        return address

    def forget_leader(self, key: Key) -> None:
        self._leaders.pop(key, None)

    async def ask_leader(self, key: Key, address: Address, request: Message, version: int) -> Any:
        """The answer of who is taken for the partition's leader. Raises NotNow."""
        try:
            return await self.ask(address, request, version)
        except KafkaError as error:
            self.forget_leader(key)
            raise NotNow(str(error)) from None

    async def coordinator(self, group: str) -> Address:
        """The coordinator of a group. Raises NotNow."""
        try:
            answer = await self.ask(self.any_broker(), FindCoordinatorRequest(key=group), 3)
        except KafkaError as error:
            raise NotNow(str(error)) from None
        if answer.error_code:
            raise NotNow(errors.name_of(answer.error_code))
        return answer.host, answer.port

    def unexpected(self, what: str) -> None:
        """A thing that no client should meet."""
        self.cluster.fail(f"{self.name}: {what}")
