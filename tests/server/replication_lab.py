"""Brokers in one event loop that replicate over real connections, with a controller that is played.

No quorum and no metadata log: the metadata is what a test says with records, and AlterPartition is answered by `Lab`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from klamm.channel import Channels
from klamm.kproto import apis, errors
from klamm.kproto import metadata_records as m
from klamm.kproto.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.kproto.records import Record, build_batch
from klamm.kproto.schema import Message
from klamm.log.io_thread import InlineIo, IoThread
from klamm.log.log_dirs import LogDirs
from klamm.log.memory_disk import MemoryDisk
from klamm.log.partition_log import PartitionLog
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.reply import Reply
from klamm.seams import SeededEntropy, SystemClock, TcpNetwork
from klamm.server.broker import Broker
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.dispatch import Dispatcher
from klamm.server.fetch_sessions import FetchSessions
from klamm.server.handlers import fetch, produce
from klamm.server.listener import Limits, Listener
from klamm.server.memory import RequestMemory
from klamm.server.replica_surroundings import ReplicationPorts
from klamm.server.replicas import Replicas
from klamm.server.request import RequestContext
from klamm.server.settings import Settings

Produced = ProduceResponse.TopicProduceResponse.PartitionProduceResponse

TOPIC = "t"
TOPIC_ID = bytes(range(16))
LEVEL = 27
SETTINGS = {"replica.fetch.backoff.ms": "20", "replica.fetch.wait.max.ms": "100", "replica.lag.time.max.ms": "600"}


def batch(count: int = 1, size: int = 20, first: int = 0) -> bytes:
    return build_batch(
        [Record(n, 1_700_000_000_000 + n, b"k", b"%d-" % (first + n) + b"v" * size) for n in range(count)]
    )


async def eventually(what: Callable[[], object], within_s: float = 10) -> None:
    """Wait until `what` holds."""
    async with asyncio.timeout(within_s):
        while not what():
            await asyncio.sleep(0.005)


class LabBroker:
    """One broker: logs, replicas and a listener. `stop` and `start` again keep what is on the disk."""

    def __init__(self, lab: Lab, node_id: int, rack: str | None, settings: dict[str, str]) -> None:
        self.lab, self.node_id, self.rack = lab, node_id, rack
        self.disk = MemoryDisk()
        overrides = {"node.id": str(node_id), "listeners": "PLAINTEXT://127.0.0.1:0", **SETTINGS, **settings}
        self.config = BrokerConfig.load(profile="test", overrides=overrides)
        self.epoch = 0
        self.port = 0
        self.image = EMPTY
        self.writer: IoThread = InlineIo()
        self.flusher: IoThread = InlineIo()
        self.dirs = ("/data",)
        self.is_up = False

    async def start(self) -> None:
        lab, clock = self.lab, self.lab.clock
        entropy = SeededEntropy(self.node_id)
        self.log_dirs = LogDirs(
            self.dirs, disk=self.disk, clock=clock, entropy=entropy, writer=self.writer, flusher=self.flusher
        )
        if self.log_dirs.open() is None:
            self.log_dirs.format("cluster", self.node_id)
        self.log_dirs.load(belongs=self._belongs)
        settings = Settings(self.config, self.node_id)
        ports = ReplicationPorts(Channels(TcpNetwork(), clock), lab, lambda: self.epoch)
        self.replicas = Replicas(self.node_id, self.log_dirs, settings, ports)
        self.replicas.on_directory = self._assign
        broker = self.broker = Broker()
        broker.node_id, broker.config, broker.settings, broker.clock = self.node_id, self.config, settings, clock
        broker.replicas, broker.log_dirs, broker.entropy = self.replicas, self.log_dirs, entropy
        broker.fetch_sessions = FetchSessions(100, entropy)
        self.listener = Listener(
            Dispatcher(broker, "PLAINTEXT", apis.BROKER),
            TcpNetwork(),
            clock,
            RequestMemory(1 << 28),
            Limits(),
            self.replicas.read_done,
        )
        self.port = await self.listener.start("127.0.0.1", self.port)
        self.epoch += 100
        self.image = lab.image
        self.replicas.start(lab.image)
        self.is_up = True

    def _belongs(self, topic: str, index: int, topic_id: bytes | None) -> bytes | None:
        found = self.lab.image.topics.partition(topic_id or TOPIC_ID, index)
        return None if found is None or self.node_id not in found.replicas else found.directory(self.node_id)

    async def stop(self, *, is_clean: bool = True) -> None:
        if self.is_up:
            self.is_up = False
            self.replicas.close()
            await self.listener.close()
            if is_clean:
                self.log_dirs.close()
            else:
                self.log_dirs.release()

    def _assign(self, topic_id: bytes, index: int, directory_id: bytes) -> None:
        """AssignReplicasToDirs, in a turn of its own."""
        asyncio.get_running_loop().call_soon(self.lab.assign, self.node_id, index, directory_id)

    def log(self, index: int = 0) -> PartitionLog:
        found = self.log_dirs.get(TOPIC, index)
        assert found is not None
        return found

    # -- as a client --

    def context(self, key: int, version: int) -> RequestContext:
        return RequestContext(key, version, "c", "127.0.0.1", "PLAINTEXT", 1)

    def produce(
        self, data: bytes | None = None, *, acks: int = -1, timeout_ms: int = 5000, index: int = 0
    ) -> asyncio.Future[ProduceResponse]:
        """By the handler, which has a quick way for such requests."""
        row = ProduceRequest.TopicProduceData
        asked = row.PartitionProduceData(index=index, records=batch() if data is None else data)
        request = ProduceRequest(
            acks=acks, timeout_ms=timeout_ms, topic_data=[row(topic_id=TOPIC_ID, partition_data=[asked])]
        )
        frame = memoryview(bytearray(request.encode(13)))
        answer: Any = produce.quick(self.broker, self.context(apis.PRODUCE, 13), frame)
        self.replicas.read_done()
        return _future(ProduceResponse.decode(answer, 13) if type(answer) is bytes else answer)

    async def produced(self, data: bytes | None = None, **more: Any) -> Produced:
        return (await self.produce(data, **more)).responses[0].partition_responses[0]

    def fetch(
        self, offset: int, *, version: int = 18, wait_ms: int = 0, rack: str = "", epoch: int = -1, index: int = 0
    ) -> asyncio.Future[FetchResponse]:
        row = FetchRequest.FetchTopic
        asked = row.FetchPartition(
            partition=index, fetch_offset=offset, current_leader_epoch=epoch, partition_max_bytes=1 << 20
        )
        request = FetchRequest(
            max_wait_ms=wait_ms,
            min_bytes=1,
            rack_id=rack,
            topics=[row(topic=TOPIC, topic_id=TOPIC_ID, partitions=[asked])],
        )
        answer: Any = fetch.handle(self.broker, self.context(apis.FETCH, version), request)
        return _future(answer)

    async def fetched(self, offset: int, **more: Any) -> FetchResponse.FetchableTopicResponse.PartitionData:
        return (await self.fetch(offset, **more)).responses[0].partitions[0]


def _future(answer: Any) -> asyncio.Future[Any]:
    if isinstance(answer, Reply):
        return answer.future()
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(answer)
    return future


class Lab:
    """The brokers 1 to n and the metadata that they are told. A `ToController` too: it grants what is asked for."""

    def __init__(self) -> None:
        self.clock = SystemClock(asyncio.get_running_loop())
        self.brokers: dict[int, LabBroker] = {}
        self.image: MetadataImage = EMPTY
        self.answers: list[int] = []
        """Error codes to answer the next partitions of AlterPartition with, in place of what is asked."""
        self.asked: list[AlterPartitionRequest] = []
        self.holds = False
        """Keep AlterPartition requests unanswered in `held`."""
        self.held: list[Callable[[], None]] = []

    async def start(
        self, count: int, racks: Sequence[str] = (), dirs: tuple[str, ...] = ("/data",), **settings: str
    ) -> None:
        names = {name.replace("_", "."): value for name, value in settings.items()}
        for node_id in range(1, count + 1):
            rack = racks[node_id - 1] if racks else None
            self.brokers[node_id] = LabBroker(self, node_id, rack, names)
            self.brokers[node_id].dirs = dirs
        self.publish(m.FeatureLevelRecord(name="metadata.version", feature_level=LEVEL))
        for broker in self.brokers.values():
            await self.start_broker(broker)

    async def start_broker(self, broker: LabBroker) -> None:
        await broker.start()
        end = m.RegisterBrokerRecord.BrokerEndpoint(
            name="PLAINTEXT", host="127.0.0.1", port=broker.port, security_protocol=0
        )
        self.publish(
            m.RegisterBrokerRecord(
                broker_id=broker.node_id,
                incarnation_id=bytes(15) + bytes([broker.epoch // 100]),
                broker_epoch=broker.epoch,
                end_points=[end],
                features=[],
                rack=broker.rack,
                fenced=False,
                log_dirs=list(broker.log_dirs.directory_ids.values()),
            )
        )

    async def stop(self) -> None:
        for broker in self.brokers.values():
            await broker.stop()

    def __getitem__(self, node_id: int) -> LabBroker:
        return self.brokers[node_id]

    # -- metadata --

    def publish(self, *records: Message) -> None:
        before = self.image
        delta = MetadataDelta(before)
        for record in records:
            delta.apply(record)
        self.image = delta.build(before.offset + len(records), 1)
        for broker in self.brokers.values():
            if broker.is_up:
                own = MetadataDelta(before)
                for record in records:
                    own.apply(record)
                broker.replicas.publish(own, self.image)

    def create(self, replicas: Sequence[int], *, partitions: int = 1, **configs: str) -> None:
        names = {name.replace("_", "."): value for name, value in configs.items()}
        self.publish(
            m.TopicRecord(name=TOPIC, topic_id=TOPIC_ID),
            *(
                m.ConfigRecord(resource_type=2, resource_name=TOPIC, name=name, value=value)
                for name, value in names.items()
            ),
            *(
                m.PartitionRecord(
                    partition_id=index,
                    topic_id=TOPIC_ID,
                    replicas=list(replicas),
                    isr=list(replicas),
                    removing_replicas=[],
                    adding_replicas=[],
                    leader=replicas[0],
                    leader_epoch=0,
                    partition_epoch=0,
                    directories=[bytes(15) + b"\1"] * len(replicas),
                )
                for index in range(partitions)
            ),
        )

    def change(self, index: int = 0, **fields: Any) -> None:
        self.publish(m.PartitionChangeRecord(partition_id=index, topic_id=TOPIC_ID, **fields))

    def assign(self, node_id: int, index: int, directory_id: bytes) -> None:
        """A broker tells where its replica is."""
        now = self.image.topics.partition(TOPIC_ID, index)
        if now is not None and node_id in now.replicas:
            directories = list(now.directories)
            directories[now.replicas.index(node_id)] = directory_id
            self.change(index, directories=directories)

    def partition(self, index: int = 0) -> PartitionRegistration:
        found = self.image.topics.partition(TOPIC_ID, index)
        assert found is not None
        return found

    def fence(self, node_id: int, fenced: int = 1) -> None:
        epoch = self.brokers[node_id].epoch
        self.publish(m.BrokerRegistrationChangeRecord(broker_id=node_id, broker_epoch=epoch, fenced=fenced))

    # -- the controller --

    def send(self, request: Message) -> Reply[Message]:
        assert isinstance(request, AlterPartitionRequest)
        # Over the wire and back, as a controller would see it.
        request = AlterPartitionRequest.decode(request.encode(3), 3)
        self.asked.append(request)
        reply: Reply[Message] = Reply()
        if self.holds:
            self.held.append(lambda: reply.resolve(self._alter(request)))
        else:
            asyncio.get_running_loop().call_soon(lambda: reply.resolve(self._alter(request)))
        return reply

    def _alter(self, request: AlterPartitionRequest) -> AlterPartitionResponse:
        topics = []
        for topic in request.topics:
            rows = []
            for row in topic.partitions:
                code = self.answers.pop(0) if self.answers else self._alter_one(row)
                now = self.partition(row.partition_index)
                rows.append(
                    AlterPartitionResponse.TopicData.PartitionData(
                        partition_index=row.partition_index,
                        error_code=code,
                        leader_id=now.leader,
                        leader_epoch=now.leader_epoch,
                        isr=list(now.isr),
                        partition_epoch=now.partition_epoch,
                    )
                )
            topics.append(AlterPartitionResponse.TopicData(topic_id=topic.topic_id, partitions=rows))
        return AlterPartitionResponse(throttle_time_ms=0, error_code=errors.NONE, topics=topics)

    def _alter_one(self, row: AlterPartitionRequest.TopicData.PartitionData) -> int:
        now = self.partition(row.partition_index)
        if row.leader_epoch != now.leader_epoch:
            return errors.FENCED_LEADER_EPOCH
        if row.partition_epoch != now.partition_epoch:
            return errors.INVALID_UPDATE_VERSION
        for member in row.new_isr_with_epochs:
            known = self.image.cluster.brokers[member.broker_id]
            if known.fenced or member.broker_epoch not in (-1, known.broker_epoch):
                return errors.INELIGIBLE_REPLICA
        isr = [member.broker_id for member in row.new_isr_with_epochs]
        self.change(row.partition_index, isr=isr)
        return errors.NONE
