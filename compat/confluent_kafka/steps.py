"""What confluent-kafka does against a broker, step by step; `compat.scripted` holds the outcomes to real Kafka's.

No step expects anything itself: it tells what came of it, without names and times that differ from run to run.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import confluent_kafka
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    OffsetSpec,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from compat.scripted import Outcomes, tell

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TIMEOUT_S = 30.0


def outcome_of(step: Callable[[], Any]) -> Any:
    """What a step returns, or the name of the error it raises."""
    try:
        return step()
    except KafkaException as error:
        return f"KafkaException {error.args[0].name()}"
    except (ValueError, TypeError, RuntimeError) as error:
        return type(error).__name__


def digest(values: Iterable[object]) -> str:
    return hashlib.sha256(repr(list(values)).encode()).hexdigest()[:16]


class Session:
    """The clients of one run and their names."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.topic = f"{name}-topic"
        self.name = name
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.began_ms = int(time.time() * 1000) - 3_600_000

    def producer(self, **settings: object) -> confluent_kafka.Producer:
        named = {name.replace("_", "."): value for name, value in settings.items()}
        return confluent_kafka.Producer({"bootstrap.servers": self.bootstrap, "log_level": 0, **named})

    def consumer(self, group: str = "none", **settings: Any) -> confluent_kafka.Consumer:
        named = {name.replace("_", "."): value for name, value in settings.items()}
        return confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.bootstrap, "group.id": f"{self.name}-{group}", "log_level": 0,
                "auto.offset.reset": "earliest", "enable.auto.commit": False, "heartbeat.interval.ms": 200, **named,
            }
        )  # fmt: skip

    def partitions(self, *partitions: int, offset: int = confluent_kafka.OFFSET_BEGINNING) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition, offset) for partition in partitions]

    def resource(self) -> ConfigResource:
        return ConfigResource(ConfigResource.Type.TOPIC, self.topic)


def sole(futures: dict[Any, Any]) -> Any:
    """The result of the only future."""
    return next(iter(futures.values())).result(TIMEOUT_S)


def deliver(producer: confluent_kafka.Producer, records: Sequence[dict[str, Any]], topic: str) -> list[Any]:
    """Produce and wait: offset, or the error's name, of each record."""
    results: list[Any] = [None] * len(records)

    def on_delivery(number: int) -> Callable[[Any, Any], None]:
        def done(error: Any, message: Any) -> None:
            results[number] = message.offset() if error is None else error.name()

        return done

    for number, record in enumerate(records):
        producer.produce(topic, on_delivery=on_delivery(number), **record)
    left = producer.flush(TIMEOUT_S)
    return results if not left else [*results, f"{left} not delivered"]


def messages(consumer: confluent_kafka.Consumer, count: int) -> list[Any]:
    """`count` messages, or fewer when no more came in time."""
    found: list[Any] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(found) < count and time.monotonic() < deadline:
        found += [m for m in consumer.consume(count - len(found), 0.2) if m.error() is None]
    return found


def admin_steps(s: Session) -> Outcomes:
    steps: dict[str, Callable[[], Any]] = {
        "create-topic": lambda: sole(s.admin.create_topics([NewTopic(s.topic, 3, 1)])),
        "create-topic-again": lambda: sole(s.admin.create_topics([NewTopic(s.topic, 3, 1)])),
        "create-topic-bad-name": lambda: sole(s.admin.create_topics([NewTopic("a b", 1, 1)])),
        "create-topic-bad-config": lambda: sole(
            s.admin.create_topics([NewTopic(f"{s.name}-c", 1, 1, config={"retention.ms": "soon"})])
        ),
        "validate-only": lambda: sole(s.admin.create_topics([NewTopic(f"{s.name}-v", 1, 1)], validate_only=True)),
        "validated-is-absent": lambda: f"{s.name}-v" in s.admin.list_topics(timeout=TIMEOUT_S).topics,
        "create-partitions": lambda: sole(s.admin.create_partitions([NewPartitions(s.topic, 4)])),
        "create-partitions-again": lambda: sole(s.admin.create_partitions([NewPartitions(s.topic, 4)])),
        "list-topics": lambda: _listed(s, 4),
        "describe-topic": lambda: [
            [p.id, p.leader is not None, len(p.isr)]
            for p in sole(s.admin.describe_topics(TopicCollection([s.topic]))).partitions
        ],
        "describe-topic-unknown": lambda: sole(s.admin.describe_topics(TopicCollection([f"{s.name}-none"]))),
        "describe-cluster": lambda: len(s.admin.describe_cluster().result(TIMEOUT_S).nodes),
        "configs": lambda: _configs(s),
        "alter-configs": lambda: _altered(s, AlterConfigOpType.SET, "retention.ms", "86400000"),
        "append-config": lambda: _altered(s, AlterConfigOpType.APPEND, "cleanup.policy", "compact"),
        "subtract-config": lambda: _altered(s, AlterConfigOpType.SUBTRACT, "cleanup.policy", "delete"),
        "delete-config": lambda: _altered(s, AlterConfigOpType.DELETE, "cleanup.policy", None),
        "alter-config-bad": lambda: _altered(s, AlterConfigOpType.SET, "retention.ms", "soon"),
        "alter-config-unknown": lambda: _altered(s, AlterConfigOpType.SET, "no.such", "1"),
        "list-offsets": lambda: sole(s.admin.list_offsets({TopicPartition(s.topic, 0): OffsetSpec.latest()})).offset,
    }
    return {name: outcome_of(step) for name, step in steps.items()}


def _listed(s: Session, partitions: int) -> list[list[Any]]:
    """The topic's partitions, when they are as many: the broker that created them may not know at once."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        found = s.admin.list_topics(s.topic, TIMEOUT_S).topics[s.topic].partitions
        if len(found) == partitions or time.monotonic() > deadline:
            return [[p.id, len(p.replicas), len(p.isrs), p.leader >= 0] for p in found.values()]


def _configs(s: Session) -> dict[str, list[Any]]:
    found = sole(s.admin.describe_configs([s.resource()]))
    return {name: [e.value, ConfigSource(e.source).name, e.is_read_only, e.is_sensitive] for name, e in found.items()}


def _altered(s: Session, operation: AlterConfigOpType, name: str, value: str | None) -> list[Any]:
    """The setting when it has changed: real Kafka's answer may be ahead of what its broker shows."""
    before = _setting(s, name)
    resource = s.resource()
    resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=operation))
    sole(s.admin.incremental_alter_configs([resource]))
    deadline = time.monotonic() + TIMEOUT_S / 6
    while (found := _setting(s, name)) == before and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _setting(s: Session, name: str) -> list[Any]:
    entry = sole(s.admin.describe_configs([s.resource()])).get(name)
    return [] if entry is None else [entry.value, ConfigSource(entry.source).name]


def _records(s: Session, codec: str) -> list[dict[str, Any]]:
    start_ms = s.began_ms + CODECS.index(codec) * 60_000
    return [
        {
            "partition": i % 3, "timestamp": start_ms + i * 1000, "key": None if i % 5 == 0 else f"key-{i}",
            "value": None if i % 7 == 0 else f"{codec} " * i,
            "headers": [("codec", codec.encode()), ("same", b"1"), ("same", b""), ("null", None)],
        }
        for i in range(30)
    ]  # fmt: skip


def _delivered(s: Session, records: Sequence[dict[str, Any]], topic: str = "", **settings: object) -> Any:
    return deliver(s.producer(**settings), records, topic or s.topic)


def produce_steps(s: Session) -> Outcomes:
    large = [{"partition": 3, "value": b"x" * 900_000}]
    too_large = [{"partition": 3, "value": b"x" * 2_000_000}]
    one = [{"value": b"v"}]

    def compressed(codec: str) -> Any:
        return _delivered(s, _records(s, codec), compression_type=codec, linger_ms=50)

    steps: dict[str, Callable[[], Any]] = {f"produce-{codec}": partial(compressed, codec) for codec in CODECS}
    steps |= {
        "produce-idempotent": lambda: _delivered(
            s, [{"partition": 3, "value": f"{i}"} for i in range(50)], enable_idempotence=True, batch_num_messages=7
        ),
        "produce-large": lambda: _delivered(s, large),
        "produce-too-large": lambda: _delivered(s, too_large, message_max_bytes=4_000_000),
        "produce-acks-0": lambda: _delivered(s, [{"partition": 3, "value": b"v"}], acks=0),
        "produce-auto-created": lambda: _delivered(s, one, f"{s.name}-auto"),
        "produce-unknown-partition": lambda: _delivered(s, [{"partition": 9, "value": b"v"}], message_timeout_ms=3000),
        "produce-bad-topic": lambda: _delivered(s, one, "a b", message_timeout_ms=3000),
    }
    return {name: outcome_of(step) for name, step in steps.items()}


def _shown(s: Session, found: Iterable[Any]) -> list[list[Any]]:
    """Everything of each message, by partition and offset."""
    return sorted(
        [m.partition(), m.offset(), str(m.key()), str(m.value()), str(m.headers()), m.timestamp()[1] - s.began_ms]
        for m in found
    )


def _read(s: Session, **settings: Any) -> list[Any]:
    consumer = s.consumer(**settings)
    try:
        consumer.assign(s.partitions(0, 1, 2))
        found = messages(consumer, 150)
        return [len(found), digest(_shown(s, found))]
    finally:
        consumer.close()


def _seek(s: Session) -> list[Any]:
    consumer = s.consumer()
    try:
        consumer.assign(s.partitions(0, 1, offset=48))
        first = len(messages(consumer, 4))
        consumer.pause(s.partitions(1))
        for tp in s.partitions(0, 1, offset=45):
            consumer.seek(tp)
        paused = sorted((m.partition(), m.offset()) for m in messages(consumer, 5))
        consumer.resume(s.partitions(1))
        resumed = sorted((m.partition(), m.offset()) for m in messages(consumer, 5))
        return [first, paused, resumed, [tp.offset for tp in consumer.position(s.partitions(0, 1))]]
    finally:
        consumer.close()


def _times(s: Session) -> list[int]:
    consumer = s.consumer()
    try:
        asked = [
            TopicPartition(s.topic, partition, s.began_ms + after_ms)
            for partition, after_ms in ((0, 0), (1, 125_500), (2, 360_000_000))
        ]
        return [tp.offset for tp in consumer.offsets_for_times(asked, TIMEOUT_S)]
    finally:
        consumer.close()


def _watermarks(s: Session) -> list[Any]:
    consumer = s.consumer()
    try:
        return [consumer.get_watermark_offsets(tp, TIMEOUT_S) for tp in s.partitions(0, 1, 2, 3)]
    finally:
        consumer.close()


def _out_of_range(s: Session, reset: str) -> Any:
    consumer = s.consumer(auto_offset_reset=reset)
    try:
        consumer.assign(s.partitions(0, offset=10_000))
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None:
                error = message.error()
                return message.offset() if error is None else error.name()
        return "nothing came"
    finally:
        consumer.close()


def read_steps(s: Session) -> Outcomes:
    steps: dict[str, Callable[[], Any]] = {
        "read": lambda: _read(s),
        "read-committed": lambda: _read(s, isolation_level="read_committed"),
        "read-small-fetches": lambda: _read(
            s, max_partition_fetch_bytes=100, fetch_max_bytes=1000, message_max_bytes=1000
        ),
        "read-checked": lambda: _read(s, check_crcs=True),
        "seek-pause-resume": lambda: _seek(s),
        "offsets-for-times": lambda: _times(s),
        "watermarks": lambda: _watermarks(s),
        "out-of-range-earliest": lambda: _out_of_range(s, "earliest"),
        "out-of-range-error": lambda: _out_of_range(s, "error"),
        "max-timestamp": lambda: _max_timestamp(s),
    }
    return {name: outcome_of(step) for name, step in steps.items()}


def _max_timestamp(s: Session) -> list[int]:
    found = sole(s.admin.list_offsets({TopicPartition(s.topic, 1): OffsetSpec.max_timestamp()}))
    return [found.offset, found.timestamp - s.began_ms]


def _joined(consumers: Sequence[confluent_kafka.Consumer], shares: Sequence[int]) -> list[int]:
    """Poll all members until they have as many partitions each as `shares` says; what they had at the end."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        for consumer in consumers:
            consumer.poll(0.05)
        found = [len(consumer.assignment()) for consumer in consumers]
        if found == list(shares) or time.monotonic() > deadline:
            return found


def _rebalances(s: Session, strategy: str) -> list[Any]:
    settings = {"partition_assignment_strategy": strategy, "session_timeout_ms": 6000}
    first, second = (s.consumer(f"two-{strategy}", **settings) for _ in range(2))
    told: list[Any] = []
    try:
        first.subscribe([s.topic])
        told.append(_joined([first], [4]))
        second.subscribe([s.topic])
        told.append(_joined([first, second], [2, 2]))
        second.close()
        told.append(_joined([first], [4]))
        first.unsubscribe()
        told.append(_joined([first], [0]))
        return told
    finally:
        first.close()


def _static_member(s: Session) -> list[Any]:
    """A member with a name comes back within its session: it keeps its partitions, and its group does not rebalance."""
    told: list[Any] = []
    for _ in range(2):
        consumer = s.consumer("static", group_instance_id="one", session_timeout_ms=10_000)
        consumer.subscribe([s.topic])
        told.append(_joined([consumer], [4]))
        told.append(consumer.memberid() != "")
        consumer.close()
    return told


def _committed(s: Session) -> list[Any]:
    consumer = s.consumer("commits")
    try:
        consumer.subscribe([s.topic])
        found = messages(consumer, 150 + 52)
        consumer.commit(asynchronous=False)
        offsets = [TopicPartition(s.topic, 0, 17, metadata="a note")]
        consumer.commit(offsets=offsets, asynchronous=False)
        return [
            len(found),
            [[tp.offset, tp.metadata] for tp in consumer.committed(s.partitions(0, 1, 2, 3), TIMEOUT_S)],
        ]
    finally:
        consumer.close()


def _described(s: Session, group: str) -> list[Any]:
    found = sole(s.admin.describe_consumer_groups([f"{s.name}-{group}"]))
    return [found.state.name, found.partition_assignor, len(found.members), found.is_simple_consumer_group]


def _group_offsets(s: Session) -> list[Any]:
    found = sole(s.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(f"{s.name}-commits")]))
    return sorted([tp.partition, tp.offset, tp.metadata] for tp in found.topic_partitions)


def _altered_offsets(s: Session) -> list[Any]:
    asked = ConsumerGroupTopicPartitions(f"{s.name}-commits", [TopicPartition(s.topic, 1, 3)])
    sole(s.admin.alter_consumer_group_offsets([asked]))
    return _group_offsets(s)


def group_steps(s: Session) -> Outcomes:
    steps: dict[str, Callable[[], Any]] = {
        "rebalances-range": lambda: _rebalances(s, "range"),
        "rebalances-cooperative": lambda: _rebalances(s, "cooperative-sticky"),
        "static-member": lambda: _static_member(s),
        "commit": lambda: _committed(s),
        "describe-group": lambda: _described(s, "commits"),
        "describe-group-unknown": lambda: _described(s, "unknown"),
        "list-groups": lambda: any(
            g.group_id == f"{s.name}-commits" for g in s.admin.list_consumer_groups().result(TIMEOUT_S).valid
        ),
        "group-offsets": lambda: _group_offsets(s),
        "alter-group-offsets": lambda: _altered_offsets(s),
        "delete-group": lambda: sole(s.admin.delete_consumer_groups([f"{s.name}-commits"])),
        "delete-group-unknown": lambda: sole(s.admin.delete_consumer_groups([f"{s.name}-unknown"])),
        "consumer-protocol": lambda: _consumer_protocol(s),
    }
    return {name: outcome_of(step) for name, step in steps.items()}


def _consumer_protocol(s: Session) -> list[int]:
    """A member of the group protocol of KIP-848."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": s.bootstrap, "group.id": f"{s.name}-848", "group.protocol": "consumer", "log_level": 0}
    )
    try:
        consumer.subscribe([s.topic])
        deadline = time.monotonic() + TIMEOUT_S / 6
        while not consumer.assignment() and time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is not None and message.error() is not None:
                raise KafkaException(message.error())
        return [len(consumer.assignment())]
    finally:
        consumer.close()


def _transaction(s: Session) -> list[Any]:
    producer = s.producer(transactional_id=f"{s.name}-tx")
    producer.init_transactions(TIMEOUT_S / 6)
    for value, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(s.topic, partition=3, value=value)
        producer.flush(TIMEOUT_S)
        end(TIMEOUT_S)
    consumer = s.consumer("tx", isolation_level="read_committed")
    try:
        consumer.assign(s.partitions(3, offset=52))
        return [m.value().decode() for m in messages(consumer, 1)]
    finally:
        consumer.close()


def end_steps(s: Session) -> Outcomes:
    steps: dict[str, Callable[[], Any]] = {
        "transaction": lambda: _transaction(s),
        "delete-records": lambda: sole(s.admin.delete_records([TopicPartition(s.topic, 0, 7)])).low_watermark,
        "delete-records-too-far": lambda: sole(s.admin.delete_records([TopicPartition(s.topic, 0, 9999)])),
        "watermarks-after": lambda: _watermarks(s)[:3],
        "delete-topic": lambda: sole(s.admin.delete_topics([s.topic])),
        "delete-topic-unknown": lambda: sole(s.admin.delete_topics([f"{s.name}-none"])),
    }
    return {name: outcome_of(step) for name, step in steps.items()}


def run(bootstrap: str, name: str) -> Outcomes:
    """All steps, in order."""
    session = Session(bootstrap, name)
    parts = (admin_steps, produce_steps, read_steps, group_steps, end_steps)
    return {step: outcome for part in parts for step, outcome in part(session).items()}


if __name__ == "__main__":
    tell(run(*sys.argv[1:]))
