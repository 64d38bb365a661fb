"""A broker that is nothing but its group coordinator, and a speaker that calls its handlers through the codec."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from klamm.kproto import apis
from klamm.kproto import metadata_records as m
from klamm.kproto.apis import APIS
from klamm.kproto.errors import KafkaError
from klamm.kproto.schema import Message
from klamm.kproto.uuids import uuid_text
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.seams import SeededEntropy
from klamm.server.broker import Broker
from klamm.server.coordinators.group_coordinator import GroupCoordinator
from klamm.server.coordinators.group_settings import GroupSettings
from klamm.server.request import RequestContext
from klamm.server.routes import route
from tests.clock import FakeClock
from tests.server.coordinators.group_lab import FakePartition
from tests.server.handlers.group_answers import Transcript

PARTITIONS = 3
SETTINGS = GroupSettings(max_size=4, min_session_timeout_ms=10, initial_rebalance_delay_ms=0)
NO_TOPIC = b"\x01" * 16


def topic_id(name: str) -> bytes:
    return name.encode().ljust(16, b"\x00")


def topic_records(name: str, partitions: int) -> list[Message]:
    """A topic whose leader is broker 1."""
    found = [
        m.PartitionRecord(
            partition_id=index,
            topic_id=topic_id(name),
            replicas=[1],
            isr=[1],
            removing_replicas=[],
            adding_replicas=[],
            leader=1,
            leader_epoch=0,
            partition_epoch=0,
            directories=[b"\x07" * 16],
        )
        for index in range(partitions)
    ]
    return [m.TopicRecord(name=name, topic_id=topic_id(name)), *found]


def broker_record() -> Message:
    endpoint = m.RegisterBrokerRecord.BrokerEndpoint(name="PLAINTEXT", host="127.0.0.1", port=9092, security_protocol=0)
    return m.RegisterBrokerRecord(
        broker_id=1,
        incarnation_id=b"\x05" * 16,
        broker_epoch=1,
        end_points=[endpoint],
        features=[],
        rack=None,
        fenced=False,
    )


class _Metadata:
    def __init__(self) -> None:
        self.image: MetadataImage = EMPTY

    def apply(self, *records: Message) -> None:
        delta = MetadataDelta(self.image)
        for record in records:
            delta.apply(record)
        self.image = delta.build(self.image.offset + 1, 0)


class _Topics:
    """Creates an internal topic as the controller would; `fails` when there are too few brokers."""

    def __init__(self, metadata: _Metadata) -> None:
        self._metadata = metadata
        self.fails = False
        self.created: list[str] = []

    async def ensure_internal_topic(self, name: str) -> bool:
        await asyncio.sleep(0)
        if self.fails:
            return False
        self.created.append(name)
        self._metadata.apply(*topic_records(name, PARTITIONS))
        return True


class GroupBroker:
    """The ports that group handlers use, and the clock behind them."""

    def __init__(self, topics: dict[str, int]) -> None:
        self.clock = FakeClock()
        self.metadata = _Metadata()
        self.metadata.apply(broker_record())
        for name, partitions in topics.items():
            self.metadata.apply(*topic_records(name, partitions))
        self.topics = _Topics(self.metadata)
        self.groups = GroupCoordinator(SETTINGS, self.clock, SeededEntropy(1), lambda: PARTITIONS)
        self.partitions = [FakePartition() for _ in range(PARTITIONS)]
        for index, partition in enumerate(self.partitions):
            self.groups.on_leadership(index, partition)

    def call(self, version: int, request: Message, client_id: str | None = "c") -> Any:
        """The handler's answer or an awaitable of it, for a request that has been through the codec."""
        key = request.__schema__.key
        found = route(key, apis.BROKER)
        assert found is not None and APIS[key].low <= version <= APIS[key].high
        decoded = type(request).decode(request.encode(version), version)
        context = RequestContext(key, version, client_id, "127.0.0.1", "PLAINTEXT", 1)
        try:
            return found.handle(cast(Broker, self), context, decoded)
        except KafkaError as error:
            return found.response(error_code=error.code)  # as dispatch does

    async def ask(self, version: int, request: Message, client_id: str | None = "c") -> Any:
        """The answer, however long the clock has to be moved for it; it has been through the codec too."""
        return await self.finish(version, self.call(version, request, client_id))

    async def finish(self, version: int, answer: Any) -> Any:
        if not isinstance(answer, Message):
            waiting = asyncio.ensure_future(answer)
            for _ in range(10000):
                for _ in range(5):
                    await asyncio.sleep(0)
                if waiting.done():
                    break
                self.clock.advance(10)
            answer = waiting.result()
        return type(answer).decode(answer.encode(version), version)


class InProcess:
    """A speaker. Its methods run the event loop, so it stands outside of coroutines."""

    def __init__(self, loop: asyncio.AbstractEventLoop, topics: dict[str, int]) -> None:
        self._loop = loop
        self.ids = {name: topic_id(name) for name in topics} | {"nope": NO_TOPIC}
        self.transcript = Transcript({uuid_text(i): name for name, i in self.ids.items()})
        self.conversation = ""
        self._waiting: dict[str, tuple[int, Any]] = {}

        async def make() -> GroupBroker:
            return GroupBroker({**topics, "__consumer_offsets": PARTITIONS})

        self.broker = loop.run_until_complete(make())

    def ask(self, version: int, request: Message, who: str = "main", client_id: str | None = "c") -> Any:
        answer = self._loop.run_until_complete(self.broker.ask(version, request, client_id))
        self.transcript.add(self.conversation, who, answer, version)
        return answer

    def start(self, version: int, request: Message, who: str) -> None:
        async def send() -> Any:
            return self.broker.call(version, request)

        self._waiting[who] = version, self._loop.run_until_complete(send())

    def finish(self, who: str) -> Any:
        version, waiting = self._waiting.pop(who)
        answer = self._loop.run_until_complete(self.broker.finish(version, waiting))
        self.transcript.add(self.conversation, who, answer, version)
        return answer

    def delete_topic(self, name: str) -> None:
        async def delete() -> None:
            self.broker.metadata.apply(m.RemoveTopicRecord(topic_id=topic_id(name)))
            self.broker.groups.on_topics_deleted([name])

        self._loop.run_until_complete(delete())
