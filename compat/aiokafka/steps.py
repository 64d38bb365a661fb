"""What aiokafka does against a broker, step by step; `compat.scripted` holds the outcomes to real Kafka's.

No step expects anything itself: it tells what came of it, without names and times that differ from run to run.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from compat.scripted import Outcomes, tell

Step = Callable[[], Awaitable[Any]]
CODECS = (None, "gzip", "snappy", "lz4", "zstd")
TIMEOUT_S = 30.0


async def outcomes(steps: dict[str, Step]) -> Outcomes:
    """What each step returns, or the name of the error it raises."""
    found: Outcomes = {}
    for name, step in steps.items():
        try:
            found[name] = await asyncio.wait_for(step(), TIMEOUT_S)
        except (KafkaError, AssertionError, TypeError, ValueError, TimeoutError) as error:
            found[name] = type(error).__name__
    return found


class Session:
    """The clients of one run and their names."""

    def __init__(self, bootstrap: str, name: str, admin: AIOKafkaAdminClient) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.topic = f"{name}-topic"
        self.admin = admin
        self.began_ms = int(time.time() * 1000) - 3_600_000

    def at(self, *partitions: int) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in partitions]

    @asynccontextmanager
    async def producer(self, **settings: Any) -> Any:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, **settings) as producer:
            yield producer

    @asynccontextmanager
    async def consumer(self, *topics: str, **settings: Any) -> Any:
        chosen = {
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "heartbeat_interval_ms": 200,
            **settings,
        }
        async with AIOKafkaConsumer(*topics, bootstrap_servers=self.bootstrap, **chosen) as consumer:
            yield consumer


def errors_of(response: Any) -> list[int]:
    """The error codes of a CreateTopics, CreatePartitions or DeleteTopics response."""
    rows = next(value for name, value in response.to_object().items() if isinstance(value, list))
    return [next(value for key, value in row.items() if key.endswith("error_code")) for row in rows]


async def collect(consumer: AIOKafkaConsumer, count: int) -> list[Any]:
    found: list[Any] = []
    deadline = time.monotonic() + TIMEOUT_S - 5
    while len(found) < count and time.monotonic() < deadline:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += records
    return found


def shown(s: Session, records: Sequence[Any]) -> list[Any]:
    """How many, and all of them in a few characters."""
    rows = sorted(
        (r.partition, r.offset, r.timestamp - s.began_ms, r.timestamp_type, str(r.key), str(r.value), str(r.headers))
        for r in records
    )
    return [len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()[:16]]


async def admin_steps(s: Session) -> Outcomes:
    async def created(name: str, **settings: Any) -> list[int]:
        return errors_of(await s.admin.create_topics([NewTopic(name, 3, 1, **settings)]))

    async def configs() -> list[list[Any]]:
        found = await s.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, s.topic)])
        return sorted([list(entry[:5]) for entry in found[0].resources[0][4]])

    async def altered() -> list[Any]:
        resource = ConfigResource(ConfigResourceType.TOPIC, s.topic, {"retention.ms": "86400000"})
        await s.admin.alter_configs([resource])
        return [row for row in await configs() if row[0] == "retention.ms"]

    async def described() -> list[Any]:
        deadline = time.monotonic() + TIMEOUT_S - 5
        while True:
            found = (await s.admin.describe_topics([s.topic]))[0]
            if len(found["partitions"]) == 4 or time.monotonic() > deadline:
                rows = [[p["partition"], p["error_code"], len(p["replicas"])] for p in found["partitions"]]
                return [found["error_code"], found["is_internal"], sorted(rows)]

    async def partitions() -> list[int]:
        return errors_of(await s.admin.create_partitions({s.topic: NewPartitions(4)}))

    async def listed() -> bool:
        return s.topic in await s.admin.list_topics()

    async def cluster() -> int:
        return len((await s.admin.describe_cluster())["brokers"])

    return await outcomes(
        {
            "create-topic": lambda: created(s.topic),
            "create-topic-again": lambda: created(s.topic),
            "create-topic-bad-name": lambda: created("a b"),
            "create-topic-bad-config": lambda: created(f"{s.name}-c", topic_configs={"retention.ms": "soon"}),
            "create-partitions": partitions,
            "create-partitions-again": partitions,
            "describe-topic": described,
            "list-topics": listed,
            "describe-cluster": cluster,
            "configs": configs,
            "alter-configs": altered,
        }
    )


async def produce_steps(s: Session) -> Outcomes:
    async def produced(codec: str | None, **settings: Any) -> list[int]:
        async with s.producer(compression_type=codec, linger_ms=20, **settings) as producer:
            sent = [
                await producer.send(
                    s.topic,
                    None if i % 7 == 0 else f"{codec} ".encode() * i,
                    None if i % 5 == 0 and i % 7 else f"key-{i}".encode(),
                    partition=i % 3,
                    timestamp_ms=s.began_ms + CODECS.index(codec) * 60_000 + i * 1000,
                    headers=[("codec", str(codec).encode()), ("same", b"1"), ("same", b"")],
                )
                for i in range(30)
            ]
            return [(await future).offset for future in sent]

    async def one(topic: str, value: bytes, **settings: Any) -> Any:
        partition = settings.pop("partition", None)
        async with s.producer(**settings) as producer:
            ack = await producer.send_and_wait(topic, value, partition=partition)
            return None if ack is None else ack.offset

    async def idempotent() -> list[int]:
        async with s.producer(enable_idempotence=True) as producer:
            sent = [await producer.send(s.topic, f"{i}".encode(), partition=3) for i in range(50)]
            return [(await future).offset for future in sent]

    steps: dict[str, Step] = {f"produce-{codec}": partial(produced, codec) for codec in CODECS}
    steps |= {
        "produce-idempotent": idempotent,
        "produce-large": lambda: one(s.topic, b"x" * 900_000, partition=3),
        "produce-too-large": lambda: one(s.topic, b"x" * 2_000_000, partition=3, max_request_size=4_000_000),
        "produce-acks-0": lambda: one(s.topic, b"v", partition=3, acks=0),
        "produce-auto-created": lambda: one(f"{s.name}-auto", b"v"),
        # It asks for the topic again and again, until it is told to stop.
        "produce-bad-topic": lambda: asyncio.wait_for(one("a b", b"v"), 3),
    }
    return await outcomes(steps)


async def read_steps(s: Session) -> Outcomes:
    async def read(**settings: Any) -> list[Any]:
        async with s.consumer(**settings) as consumer:
            consumer.assign(s.at(0, 1, 2))
            return shown(s, await collect(consumer, 150))

    async def seek() -> list[Any]:
        async with s.consumer() as consumer:
            consumer.assign(s.at(0, 1))
            consumer.seek(s.at(0)[0], 45)
            consumer.seek(s.at(1)[0], 40)
            consumer.pause(*s.at(1))
            paused = sorted([r.partition, r.offset] for r in await collect(consumer, 5))
            consumer.resume(*s.at(1))
            resumed = sorted([r.partition, r.offset] for r in await collect(consumer, 10))
            return [paused, resumed, [await consumer.position(tp) for tp in s.at(0, 1)]]

    async def times() -> list[Any]:
        async with s.consumer() as consumer:
            zero, one, two = s.at(0, 1, 2)
            asked = {zero: s.began_ms, one: s.began_ms + 125_500, two: s.began_ms + 360_000_000}
            found = await consumer.offsets_for_times(asked)
            return [None if found[tp] is None else [found[tp].offset, found[tp].timestamp - s.began_ms] for tp in asked]

    async def ends() -> list[Any]:
        async with s.consumer() as consumer:
            first = await consumer.beginning_offsets(s.at(0, 1, 2, 3))
            last = await consumer.end_offsets(s.at(0, 1, 2, 3))
            return [[first[tp], last[tp]] for tp in s.at(0, 1, 2, 3)]

    async def out_of_range(reset: str) -> int:
        async with s.consumer(auto_offset_reset=reset) as consumer:
            consumer.assign(s.at(0))
            consumer.seek(s.at(0)[0], 10_000)
            return int((await consumer.getone()).offset)

    return await outcomes(
        {
            "read": read,
            "read-committed": lambda: read(isolation_level="read_committed"),
            "read-small-fetches": lambda: read(max_partition_fetch_bytes=100, fetch_max_bytes=300),
            "seek-pause-resume": seek,
            "offsets-for-times": times,
            "beginning-and-end": ends,
            "out-of-range-earliest": lambda: out_of_range("earliest"),
            "out-of-range-none": lambda: out_of_range("none"),
        }
    )


async def shares(consumers: Sequence[AIOKafkaConsumer], wanted: Sequence[int]) -> list[int]:
    """Poll all members until they have as many partitions as `wanted`; what they had at the end."""
    deadline = time.monotonic() + TIMEOUT_S / 2
    while True:
        await asyncio.gather(*(consumer.getmany(timeout_ms=50) for consumer in consumers))
        found = [len(consumer.assignment()) for consumer in consumers]
        if found == list(wanted) or time.monotonic() > deadline:
            return found


async def group_steps(s: Session) -> Outcomes:
    group = f"{s.name}-commits"

    async def rebalances(assignor: Any) -> list[Any]:
        settings = {"group_id": f"{s.name}-{assignor.name}", "partition_assignment_strategy": [assignor]}
        async with s.consumer(s.topic, **settings) as first:
            told = [await shares([first], [4])]
            async with s.consumer(s.topic, **settings) as second:
                told.append(await shares([first, second], [2, 2]))
            told.append(await shares([first], [4]))
            return told

    async def static() -> list[Any]:
        told = []
        for _ in range(2):
            async with s.consumer(s.topic, group_id=f"{s.name}-static", group_instance_id="one") as consumer:
                told.append(await shares([consumer], [4]))
        return told

    async def commit() -> list[Any]:
        async with s.consumer(s.topic, group_id=group) as consumer:
            count = len(await collect(consumer, 202))
            await consumer.commit()
            await consumer.commit({s.at(0)[0]: OffsetAndMetadata(17, "a note")})
            return [count, [await consumer.committed(tp) for tp in s.at(0, 1, 2, 3)]]

    async def goes_on() -> list[Any]:
        async with s.consumer(s.topic, group_id=group) as consumer:
            return sorted([r.partition, r.offset] for r in await collect(consumer, 33))

    async def described(name: str) -> list[Any]:
        found = (await s.admin.describe_consumer_groups([name]))[0].to_object()["groups"][0]
        return [found["error_code"], found["state"], found["protocol_type"], found["protocol"], len(found["members"])]

    async def offsets() -> list[list[Any]]:
        found = await s.admin.list_consumer_group_offsets(group)
        return sorted([tp.partition, at.offset, at.metadata] for tp, at in found.items())

    async def listed() -> bool:
        return group in [name for name, *_ in await s.admin.list_consumer_groups()]

    return await outcomes(
        {
            "rebalances-range": lambda: rebalances(RangePartitionAssignor),
            "rebalances-sticky": lambda: rebalances(StickyPartitionAssignor),
            "static-member": static,
            "commit": commit,
            "goes-on": goes_on,
            "describe-group": lambda: described(group),
            "describe-group-unknown": lambda: described(f"{s.name}-unknown"),
            "list-groups": listed,
            "group-offsets": offsets,
        }
    )


async def end_steps(s: Session) -> Outcomes:
    async def transaction() -> list[str]:
        async with s.producer(transactional_id=f"{s.name}-tx") as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(s.topic, b"aborted", partition=3)
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(s.topic, b"committed", partition=3)
        async with s.consumer(isolation_level="read_committed") as consumer:
            consumer.assign(s.at(3))
            consumer.seek(s.at(3)[0], 52)
            return [r.value.decode() for r in await collect(consumer, 1)]

    async def delete_records(offset: int) -> int:
        found = await s.admin.delete_records({s.at(0)[0]: RecordsToDelete(before_offset=offset)})
        return int(next(iter(found.values())))

    async def delete_topic(name: str) -> list[int]:
        return errors_of(await s.admin.delete_topics([name]))

    return await outcomes(
        {
            "transaction": lambda: asyncio.wait_for(transaction(), 8),
            "delete-records": lambda: delete_records(7),
            "delete-records-too-far": lambda: delete_records(9999),
            "delete-topic": lambda: delete_topic(s.topic),
            "delete-topic-unknown": lambda: delete_topic(f"{s.name}-none"),
        }
    )


async def _run(bootstrap: str, name: str) -> Outcomes:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        session = Session(bootstrap, name, admin)
        found: Outcomes = {}
        for part in (admin_steps, produce_steps, read_steps, group_steps, end_steps):
            found |= await part(session)
        return found
    finally:
        await admin.close()


def run(bootstrap: str, name: str) -> Outcomes:
    """All steps, in order."""
    return asyncio.run(_run(bootstrap, name))


if __name__ == "__main__":
    tell(run(*sys.argv[1:]))
