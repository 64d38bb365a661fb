"""The steps every client runs against a broker, the records it sends, and the comparison of what comes back.

A client folder gives an adapter (`Client`, `Producer`, `Consumer`); everything that decides pass or fail stands here,
so that all clients are held to the same rule: each acknowledged record is read back once, unchanged, at its offset.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

PARTITIONS = 4
TIMEOUT_S = 40.0
POLL_MS = 200
COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


class Broker(Protocol):
    """What the steps need of a target: an address that survives a restart, and two ways to go down."""

    @property
    def bootstrap(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True)
class Record:
    """A record as it is handed to a producer. `timestamp_ms` is its create time."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int


@dataclass(frozen=True)
class Fetched:
    """A record as a consumer returned it."""

    offset: int
    record: Record


class Producer(Protocol):
    def send(self, topic: str, record: Record) -> None:
        """Queue one record for its partition."""

    def flush(self) -> list[Fetched]:
        """Wait for every queued record; return what was acknowledged since the last call. Raise if one was not."""

    def close(self) -> None: ...


class Consumer(Protocol):
    def assign(self, topic: str) -> None:
        """Read all partitions of the topic from the first offset, outside any group."""

    def subscribe(self, topic: str) -> None: ...
    def poll(self, timeout_ms: int) -> list[Fetched]: ...

    def assignment(self) -> frozenset[int]:
        """The partitions that the group has given to this member."""

    def commit(self) -> bool:
        """Commit the positions; False when the group must settle first (a rebalance, a lost coordinator)."""

    def committed(self, topic: str) -> dict[int, int]:
        """The group's committed offset of each partition that has one."""

    def close(self) -> None: ...


class Client(Protocol):
    """One client library."""

    @property
    def protocols(self) -> Sequence[str]:
        """The classic group protocols it speaks: eager, cooperative."""

    @property
    def null_headers(self) -> bool:
        """Whether it can send a header whose value is null."""

    def create_topic(self, bootstrap: str, topic: str, partitions: int) -> None: ...
    def producer(self, bootstrap: str, *, compression: str, idempotent: bool) -> Producer: ...
    def consumer(self, bootstrap: str, *, group: str | None, protocol: str = "eager") -> Consumer: ...


def free_name(stem: str) -> str:
    """A topic or group name that no other test uses."""
    return f"{stem}-{uuid.uuid4().hex[:10]}"


def make_records(client: Client, count: int, seed: int = 1) -> list[Record]:
    """`count` records over all partitions: nulls, empties, repeated headers, text outside ASCII, 60 KB values."""
    entropy = random.Random(seed)
    # Create times must lie within retention.ms of now, or the broker may delete the segment under the test.
    start_ms = int(time.time() * 1000) - 3_600_000
    records = []
    for i in range(count):
        headers: tuple[tuple[str, bytes | None], ...] = (("n", str(i).encode()),)
        key: bytes | None = f"key-{seed}-{i}".encode()
        value: bytes | None = f"value-{seed}-{i}-".encode() * (1 + i % 7)
        match i % 10:
            case 1:
                key = None
            case 2:
                value = None
            case 3:
                key, value, headers = b"", b"", ()
            case 4:
                null = None if client.null_headers else b"no null"
                headers = (("same", b"1"), ("same", b"2"), ("null", null), ("empty", b""), ("ключ-✓", b"\x00\xff"))
            case 5:
                value = entropy.randbytes(3_000)
            case 6:
                value = (b"compressible " * 5_000)[:60_000]
        # Times jump back now and then: create times need not be ordered.
        timestamp_ms = start_ms + i * 1_000 - (5_000 if i % 9 == 0 else 0)
        records.append(Record(i % PARTITIONS, key, value, headers, timestamp_ms))
    return records


@dataclass
class Ledger:
    """What was acknowledged, by partition and offset: the truth that every read is compared with."""

    acknowledged: dict[tuple[int, int], Record] = field(default_factory=dict)

    def add(self, sent: Sequence[Record], acks: Sequence[Fetched]) -> dict[tuple[int, int], Record]:
        """Take acknowledgements in; each sent record must have one, at the next free offset of its partition."""
        batch = {(ack.record.partition, ack.offset): ack.record for ack in acks}
        assert len(batch) == len(acks), "two records were acknowledged at one offset"
        assert not batch.keys() & self.acknowledged.keys(), "an offset was acknowledged again"
        for partition in range(PARTITIONS):
            expected = [record for record in sent if record.partition == partition]
            first = self.end_offsets().get(partition, 0)
            got = [record for (p, _), record in sorted(batch.items(), key=lambda item: item[0]) if p == partition]
            offsets = sorted(offset for p, offset in batch if p == partition)
            assert offsets == list(range(first, first + len(expected))), f"partition {partition}: offsets {offsets}"
            assert got == expected, f"partition {partition}: offsets are not in the order of sending"
        self.acknowledged |= batch
        return batch

    def end_offsets(self) -> dict[int, int]:
        ends: dict[int, int] = {}
        for partition, offset in self.acknowledged:
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        return ends


def assert_same(expected: dict[tuple[int, int], Record], fetched: Iterable[Fetched]) -> None:
    """Every expected record was fetched exactly once, with its key, value, headers, timestamp, and nothing else was."""
    seen: dict[tuple[int, int], Record] = {}
    for item in fetched:
        place = (item.record.partition, item.offset)
        assert place not in seen, f"read twice: partition, offset {place}"
        seen[place] = item.record
    assert not seen.keys() - expected.keys(), f"never sent: {sorted(seen.keys() - expected.keys())[:10]}"
    assert not expected.keys() - seen.keys(), f"not read: {sorted(expected.keys() - seen.keys())[:10]}"
    for place, record in expected.items():
        assert seen[place] == record, f"at {place}: sent {record!r:.300}, read {seen[place]!r:.300}"


def wait_for(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait until `condition` holds; fail with what was found instead."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out: {what()}"
        time.sleep(0.02)


def read(consumer: Consumer, count: int) -> list[Fetched]:
    """Poll until `count` records came, then once more, so that a record too many is seen."""
    records: list[Fetched] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(records) < count:
        assert time.monotonic() < deadline, f"timed out with {len(records)} of {count} records"
        records += consumer.poll(POLL_MS)
    return records + consumer.poll(POLL_MS)


def commit(consumer: Consumer) -> list[Fetched]:
    """Commit, polling on while the group settles; return what those polls brought."""
    records: list[Fetched] = []
    deadline = time.monotonic() + TIMEOUT_S
    while not consumer.commit():
        assert time.monotonic() < deadline, "timed out: the commit was never taken"
        records += consumer.poll(POLL_MS)
    return records


def send(
    producer: Producer, topic: str, records: Sequence[Record], ledger: Ledger, in_flight: Sequence[Record] = ()
) -> dict[tuple[int, int], Record]:
    """Send `records`, wait for them and for those `in_flight` before them; return the acknowledged ones by place."""
    for record in records:
        producer.send(topic, record)
    return ledger.add([*in_flight, *records], producer.flush())


class Member(threading.Thread):
    """One group member on a thread of its own: polls, commits what it read, remembers every assignment it held."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        super().__init__(daemon=True)
        self._consumer = consumer
        self._topic = topic
        self._leaving = threading.Event()
        self.records: list[Fetched] = []
        self.uncommitted = False
        self.assignments: list[frozenset[int]] = [frozenset()]
        self.failure: BaseException | None = None
        self.start()

    @property
    def assignment(self) -> frozenset[int]:
        if self.failure:
            raise AssertionError(f"member failed: {self.failure!r}") from self.failure
        return self.assignments[-1]

    def run(self) -> None:
        try:
            self._consumer.subscribe(self._topic)
            while not self._leaving.is_set():
                fetched = self._consumer.poll(POLL_MS)
                self.uncommitted |= bool(fetched)
                self.records += fetched
                if self._consumer.assignment() != self.assignments[-1]:
                    self.assignments.append(self._consumer.assignment())
                if self.uncommitted:
                    self.uncommitted = not self._consumer.commit()
        except BaseException as error:
            self.failure = error
        finally:
            self._consumer.close()

    def leave(self) -> None:
        self._leaving.set()
        self.join(TIMEOUT_S)
        assert not self.is_alive(), "the consumer did not close"
        assert self.failure is None, f"member failed: {self.failure!r}"


def round_trip(client: Client, broker: Broker, *, compression: str, idempotent: bool) -> None:
    """Create a topic, produce, and read all of it by assignment."""
    topic, ledger, records = free_name("round-trip"), Ledger(), make_records(client, 80)
    client.create_topic(broker.bootstrap, topic, PARTITIONS)
    producer = client.producer(broker.bootstrap, compression=compression, idempotent=idempotent)
    try:
        expected = send(producer, topic, records[:50], ledger)
        expected |= send(producer, topic, records[50:], ledger)
    finally:
        producer.close()
    consumer = client.consumer(broker.bootstrap, group=None)
    try:
        consumer.assign(topic)
        assert_same(expected, read(consumer, len(expected)))
    finally:
        consumer.close()


def group_of_two(client: Client, broker: Broker, *, protocol: str) -> None:
    """One member, then two, then one again: each phase's records are read once, and the commits say so."""
    topic, group, ledger = free_name("group"), free_name("group"), Ledger()
    client.create_topic(broker.bootstrap, topic, PARTITIONS)
    producer = client.producer(broker.bootstrap, compression="none", idempotent=True)
    everything = frozenset(range(PARTITIONS))
    first = Member(client.consumer(broker.bootstrap, group=group, protocol=protocol), topic)
    members = [first]

    def phase(seed: int) -> None:
        """Produce with the group at rest, and wait until its members have read and committed exactly that."""
        before = [len(member.records) for member in members]
        expected = send(producer, topic, make_records(client, 60, seed), ledger)

        def found() -> list[Fetched]:
            return [item for member, start in zip(members, before, strict=True) for item in member.records[start:]]

        wait_for(lambda: len(found()) >= len(expected), lambda: f"{len(found())} of {len(expected)} records")
        wait_for(lambda: not any(member.uncommitted for member in members), lambda: "commits are missing")
        assert_same(expected, found())
        for member, start in zip(members, before, strict=True):
            strays = {item.record.partition for item in member.records[start:]} - member.assignment
            assert not strays, f"a member read partitions {strays} that it does not own"

    try:
        wait_for(lambda: first.assignment == everything, lambda: f"alone with {first.assignment}")
        phase(1)
        second = Member(client.consumer(broker.bootstrap, group=group, protocol=protocol), topic)
        members.append(second)
        wait_for(
            lambda: len(first.assignment) == len(second.assignment) == PARTITIONS // 2,
            lambda: f"{first.assignments} and {second.assignments}",
        )
        assert first.assignment | second.assignment == everything
        if protocol == "cooperative":
            # KIP-429: a member keeps what it will own after the rebalance; it never gives up everything first.
            since = first.assignments[first.assignments.index(everything) :]
            assert all(first.assignment <= held for held in since), f"gave up kept partitions: {since}"
        phase(2)
        members.remove(second)
        second.leave()
        wait_for(lambda: first.assignment == everything, lambda: f"alone again with {first.assignments}")
        phase(3)
    finally:
        producer.close()
        for member in members:
            member.leave()
    reader = client.consumer(broker.bootstrap, group=group)
    try:
        assert reader.committed(topic) == ledger.end_offsets()
    finally:
        reader.close()


def restart_in_the_middle(client: Client, broker: Broker, *, kill: bool) -> None:
    """Producer and group consumer live through a broker restart; nothing is lost, read twice, or committed back."""
    topic, group, ledger = free_name("restart"), free_name("group"), Ledger()
    client.create_topic(broker.bootstrap, topic, PARTITIONS)
    producer = client.producer(broker.bootstrap, compression="lz4", idempotent=True)
    consumer = client.consumer(broker.bootstrap, group=group)
    try:
        consumer.subscribe(topic)
        expected = send(producer, topic, make_records(client, 100, 1), ledger)
        fetched = read(consumer, len(expected))
        fetched += commit(consumer)
        assert_same(expected, fetched)
        committed_before = ledger.end_offsets()
        flying, late = make_records(client, 200, 2), make_records(client, 60, 3)
        for record in flying:
            producer.send(topic, record)
        # The broker goes down under requests in flight: the producer must retry them, and idempotence must drop the
        # retries of those that had been appended already.
        broker.kill() if kill else broker.stop()
        broker.start()
        check = client.consumer(broker.bootstrap, group=group)
        try:
            assert check.committed(topic) == committed_before, "the restart changed committed offsets"
        finally:
            check.close()
        expected = send(producer, topic, late, ledger, in_flight=flying)
        fetched = read(consumer, len(expected))
        fetched += commit(consumer)
        assert_same(expected, fetched)
        assert consumer.committed(topic) == ledger.end_offsets()
    finally:
        producer.close()
        consumer.close()
    reader = client.consumer(broker.bootstrap, group=None)
    try:
        reader.assign(topic)
        assert_same(ledger.acknowledged, read(reader, len(ledger.acknowledged)))
    finally:
        reader.close()
