"""Fills a directory with everything that a broker can have written, over several of its lives.

Producers of every codec, idempotent and transactional, transactions of every fate over several segments, compacted,
truncated and expired logs, groups of both protocols. Every choice follows from the seed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import confluent_kafka
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from compat.differential.run import batch
from compat.shared_directory.asking import EARLIEST, LATEST, Asking
from compat.shared_directory.brokers import LIVELY, Place, Running

TIMESTAMP = 1_700_000_000_000
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
GROUPS = ("classic", "new", "transactional", "in transaction")
SEGMENT_MS = "10000"
_SMALL = {"internal_segment_bytes": "16384", "index_interval_bytes": "500", "segment_ms": str(10**12)}
"""Topics with the markers of transactions roll by size: a marker's time is the present, the data's is not."""
_FLUSH_S = 30.0
_LIVELY = {name.replace(".", "_"): value for name, value in LIVELY.items()}

ENDED_BY_ITS_PRODUCER = "open-1"
ENDED_BY_TIMEOUT = "open-2"
"""The transactions that are left open, by their transactional ids."""
OPEN_TIMEOUT_MS = 20_000


class Maker:
    """Fills a place, whoever serves it. `size` scales the numbers of records."""

    def __init__(self, place: Place, seed: int, size: int = 1) -> None:
        self.place = place
        self._chance = random.Random(seed)
        self._size = size
        self._clock = TIMESTAMP
        self._lives = 0
        self._producers: dict[str, Any] = {}
        self._producer: tuple[int, int] | None = None

    def make(self, kind: str, lives: int = 3) -> Running:
        """So many lives of a broker on an empty place, every second one killed; the last is given back, running."""
        for n in range(lives):
            broker = self.place.start(kind, **_LIVELY)
            asking = Asking(self.place.bootstrap)
            try:
                if n == 0:
                    self._create(asking)
                else:
                    asking.wait_for_all()
                self.fill(asking, kind)
                if n == lives - 1:
                    self._last_touches(asking, kind)
            finally:
                asking.close()
            if n < lives - 1:
                broker.kill() if n % 2 else broker.stop()
        return broker

    def _create(self, asking: Asking) -> None:
        asking.create("plain", 2, segment_ms=SEGMENT_MS)
        asking.create("small.index", 1, segment_ms=SEGMENT_MS, index_interval_bytes="200")
        for codec in ("uncompressed", *CODECS[1:]):
            asking.create(f"stored.{codec}", 1, compression_type=codec, segment_ms=SEGMENT_MS)
        asking.create("appended", 1, message_timestamp_type="LogAppendTime")
        asking.create("transactions", 2, **_SMALL)
        asking.create("compacted", 1, cleanup_policy="compact", min_cleanable_dirty_ratio="0.01",
                      delete_retention_ms="0", **_SMALL)  # fmt: skip
        asking.create("both", 1, cleanup_policy="compact,delete", **_SMALL)
        asking.create("expired", 1, segment_ms=SEGMENT_MS, retention_bytes="4000", file_delete_delay_ms="100")
        asking.create("aged", 1, segment_ms=SEGMENT_MS, retention_ms="1000")
        asking.create("deleted", 2, segment_ms=SEGMENT_MS)
        asking.create("raw", 1)
        asking.create("empty", 3)
        asking.create("gone", 1)

    def fill(self, asking: Asking, kind: str) -> None:
        """What every life adds to every topic; transactions are Kafka's."""
        self._lives += 1
        self._producers.clear()
        for codec in CODECS:
            self._produce("plain", codec, (0, 1), headers=True)
        self._produce("small.index", "none", (0,))
        for codec in CODECS:
            self._produce(f"stored.{'uncompressed' if codec == 'none' else codec}", self._chance.choice(CODECS), (0,))
        self._produce("appended", "lz4", (0,))
        self._produce("compacted", "lz4", (0,), keys=20)
        self._produce("both", "none", (0,), keys=20)
        self._produce("expired", "none", (0,), rounds=6)
        self._produce("aged", "zstd", (0,), rounds=3)
        self._produce("deleted", "gzip", (0, 1))
        self._raw(asking)
        self._commit(kind)
        if kind == "kafka":
            self._transact("transactions", ("t-1", "t-2", "t-3"))
            self._transact("compacted", ("t-4", "t-5"), keys=10)
            self._commit_in_transaction()

    def delete(self, asking: Asking) -> None:
        """Move the log starts of a topic up, into the middle of what there is."""
        for index in (0, 1):
            start, end = (asking.offset("deleted", index, at).offset for at in (EARLIEST, LATEST))
            start = asking.delete_records("deleted", index, (start + end) // 2 + index)
            asking.until("a log start on the disk", _true(partial(self._starts_at, index, start)))

    def _starts_at(self, index: int, start: int) -> bool:
        """Whether a broker that is killed now will find the log start: by its checkpoint, or by the first segment."""
        rows = _checkpoint(self.place, "log-start-offset-checkpoint")
        bases = sorted(int(path.stem) for path in (self.place.data_dir / f"deleted-{index}").glob("*.log"))
        return ["deleted", str(index), str(start)] in rows or start in bases[:1]

    def _last_touches(self, asking: Asking, kind: str) -> None:
        self.delete(asking)
        self._compacted(asking)
        for topic in ("expired", "aged"):
            asking.until(f"retention of {topic}", _true(partial(self._begins_later, asking, topic)))
        if kind == "kafka":
            self._leave_open()
        admin = AdminClient(self._settings())
        admin.delete_topics(["gone"])["gone"].result(30)

    def _compacted(self, asking: Asking) -> None:
        """Wait until the cleaner has been over the topic, then let nothing clean it any more."""
        end = asking.offset("compacted", 0, LATEST).offset
        active = _newest_segment(self.place, "compacted-0")
        while _newest_segment(self.place, "compacted-0") == active:
            self._produce("compacted", "none", (0,), keys=20)
        asking.until("compaction", lambda: self._cleaned_to() >= end or None)
        for topic in ("compacted", "both"):
            asking.alter(topic, min_cleanable_dirty_ratio="1.0")

    def _cleaned_to(self) -> int:
        rows = _checkpoint(self.place, "cleaner-offset-checkpoint")
        return next((int(row[2]) for row in rows if row[:2] == ["compacted", "0"]), 0)

    # -- producers --

    def _settings(self, **more: Any) -> dict[str, Any]:
        return {"bootstrap.servers": self.place.bootstrap, "log_level": 0, "linger.ms": 2, "batch.size": 8000, **more}

    def _now(self) -> int:
        """The timestamp of the next record: mostly later than the last, sometimes much, so that segments roll."""
        self._clock += self._chance.choice((0, 1, 5, 40, -20))
        return self._clock

    def _values(self, count: int, topic: str) -> Iterator[bytes | None]:
        for _ in range(count):
            kind = self._chance.random()
            if kind < 0.06:
                yield None
            elif kind < 0.1:
                yield b""
            elif kind < 0.12:
                yield self._chance.randbytes(self._chance.randrange(1000, 60_000 if topic == "plain" else 6000))
            else:
                yield b"value " * self._chance.randrange(30) + self._chance.randbytes(8)

    def _produce(
        self,
        topic: str,
        codec: str,
        partitions: Sequence[int],
        *,
        headers: bool = False,
        keys: int = 0,
        rounds: int = 2,
    ) -> None:
        """Some batches of an idempotent producer, with a new segment after each round."""
        producer = self._of_codec(codec)
        for _ in range(rounds):
            for partition in partitions:
                for value in self._values(self._chance.randrange(5, 25) * self._size, topic):
                    key = b"k%d" % self._chance.randrange(keys) if keys else self._chance.choice((None, b"", b"key"))
                    tags = [("h", b"v"), ("none", None), ("", b"")] if headers else None
                    producer.produce(topic, value, key, partition, timestamp=self._now(), headers=tags)
                _flushed(producer)
            self._clock += int(SEGMENT_MS) + 1

    def _of_codec(self, codec: str) -> Any:
        """The idempotent producer of this life for a codec: a new one takes half a second for its first record."""
        if codec not in self._producers:
            settings = self._settings(**{"compression.type": codec, "enable.idempotence": True})
            self._producers[codec] = confluent_kafka.Producer(settings)
        return self._producers[codec]

    def _raw(self, asking: Asking) -> None:
        """Batches of an idempotent producer whose sequences go on, whoever is the broker."""
        producer_id, sequence = self._producer or (asking.producer_id(), 0)
        for _ in range(3):
            sequence = produce_next(asking, "raw", producer_id, sequence)
        self._producer = producer_id, sequence

    # -- transactions --

    def _transact(self, topic: str, ids: Sequence[str], keys: int = 0) -> None:
        """Transactions of several producers, interleaved, of which about half are aborted."""
        producers = [self._transactional(name) for name in ids]
        in_transaction = dict.fromkeys(ids, False)
        partitions = (0,) if topic == "compacted" else (0, 1)
        for step in range(12 * self._size):
            at = self._chance.randrange(len(ids))
            producer, name = producers[at], ids[at]
            if not in_transaction[name]:
                producer.begin_transaction()
                in_transaction[name] = True
            for value in self._values(self._chance.randrange(1, 6), topic):
                key = b"k%d" % self._chance.randrange(keys) if keys else None
                partition = self._chance.choice(partitions)
                producer.produce(topic, value, key, partition, timestamp=self._now())
            _flushed(producer)
            if self._chance.random() < 0.5:
                self._end(producer)
                in_transaction[name] = False
            if step % 4 == 3:
                self._clock += int(SEGMENT_MS) + 1
        for producer, name in zip(producers, ids, strict=True):
            if in_transaction[name]:
                self._end(producer)

    def _end(self, producer: Any) -> None:
        if self._chance.random() < 0.5:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)

    def _transactional(self, name: str, timeout_ms: int = 60_000) -> Any:
        codec = self._chance.choice(CODECS)
        producer = confluent_kafka.Producer(
            self._settings(
                **{"transactional.id": name, "compression.type": codec, "transaction.timeout.ms": timeout_ms}
            )
        )
        producer.init_transactions(30)
        return producer

    def _leave_open(self) -> None:
        """Two transactions without an end, and one that has an end between them."""
        for name in (ENDED_BY_ITS_PRODUCER, "ended", ENDED_BY_TIMEOUT):
            producer = self._transactional(name, OPEN_TIMEOUT_MS)
            producer.begin_transaction()
            for partition in (0, 1):
                for value in self._values(3, "transactions"):
                    producer.produce("transactions", value, b"open", partition, timestamp=self._now())
            _flushed(producer)
            if name == "ended":
                producer.abort_transaction(30)
            elif name == ENDED_BY_ITS_PRODUCER:
                consumer = confluent_kafka.Consumer(self._settings(**{"group.id": "in transaction"}))
                offsets = [TopicPartition("plain", 0, 5)]
                producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
                consumer.close()

    def end_open(self, asking: Asking) -> None:
        """End the transactions that were left open: one by its producer's return, one by its timeout."""
        self._transactional(ENDED_BY_ITS_PRODUCER)
        for index in (0, 1):
            asking.until("the end of the open transactions", _true(partial(self._is_stable, asking, index)))

    @staticmethod
    def _begins_later(asking: Asking, topic: str) -> bool:
        return asking.offset(topic, 0, EARLIEST).offset > 0

    @staticmethod
    def _is_stable(asking: Asking, index: int) -> bool:
        return asking.offset("transactions", index, LATEST) == asking.offset("transactions", index, LATEST, 1)

    # -- groups --

    def _offsets(self) -> list[TopicPartition]:
        return [TopicPartition("plain", n, 3 + n + self._lives, metadata=f"life {self._lives}") for n in (0, 1)]

    def _commit(self, kind: str) -> None:
        """Members of a group of each protocol that the broker has commit what they were given."""
        for group, protocol in (("classic", "classic"), ("new", "consumer")):
            if protocol == "consumer" and kind != "kafka":
                continue
            consumer = confluent_kafka.Consumer(
                self._settings(**{"group.id": group, "group.protocol": protocol, "enable.auto.commit": False})
            )
            consumer.subscribe(["plain"])
            deadline = time.monotonic() + 30
            while not consumer.assignment():
                consumer.poll(0.05)
                assert time.monotonic() < deadline, f"group {group} got nothing assigned"
            consumer.commit(offsets=self._offsets(), asynchronous=False)
            consumer.close()

    def _commit_in_transaction(self) -> None:
        consumer = confluent_kafka.Consumer(self._settings(**{"group.id": "transactional"}))
        producer = self._transactional("t-offsets")
        offsets = self._offsets()
        for end in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            producer.produce("transactions", b"with offsets", partition=0, timestamp=self._now())
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
            end(30)
            offsets = [TopicPartition(o.topic, o.partition, o.offset + 1) for o in offsets]
        consumer.close()


def produce_next(asking: Asking, topic: str, producer_id: int, sequence: int) -> int:
    """Batches of a producer: the next one, the same again, and one that leaves a gap. Gives the next sequence."""
    # Kafka forgets at a restart who has sent nothing for a day, by the records' time: these are new.
    timestamp = int(time.time() * 1000)
    values = [b"number %d" % (sequence + n) for n in range(2)]

    def numbered(first: int) -> bytes:
        return batch(
            *values, key=b"k", timestamp=timestamp, producer_id=producer_id, producer_epoch=0, base_sequence=first
        )

    taken = asking.produce(topic, numbered(sequence))
    assert taken.error == "NONE", f"sequence {sequence}: {taken.error}"
    again = asking.produce(topic, numbered(sequence))
    assert again == taken, f"sequence {sequence} again: {again} after {taken}"
    gap = asking.produce(topic, numbered(sequence + 7))
    assert gap.error == "OUT_OF_ORDER_SEQUENCE_NUMBER", f"a gap: {gap}"
    return sequence + 2


def _checkpoint(place: Place, name: str) -> list[list[str]]:
    file = place.data_dir / name
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def _newest_segment(place: Place, partition: str) -> str:
    return max(path.name for path in (place.data_dir / partition).glob("*.log"))


def _flushed(producer: Any) -> None:
    left = producer.flush(_FLUSH_S)
    assert not left, f"{left} records were not acknowledged"


def _true(is_so: Callable[[], bool]) -> Callable[[], bool | None]:
    """For `until`, which waits while it is given None."""
    return lambda: is_so() or None
