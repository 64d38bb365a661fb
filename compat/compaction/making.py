"""The input: a compacted topic as real Kafka writes it, with everything that its cleaner has a rule for.

Idempotent producers of every codec, transactions that commit, abort, and one that never ends, tombstones, keys short
and long, several segments. Kafka's own cleaner is kept from running by its back-off.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compat.targets import KafkaTarget, log4j_settings

TOPIC = "compacted"
TOPIC_CONFIG: Mapping[str, str] = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "2000",
    "segment.bytes": "1048576",
    "file.delete.delay.ms": "0",
    "message.timestamp.type": "CreateTime",
}
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CHUNK = 500
NEVER_MS = 3_600_000


class CleaningKafka(KafkaTarget):
    """A node on a directory of its own or on a copy, with the cleaner waiting or at work."""

    log4j = log4j_settings("SYSTEM_OUT", "warn", org_apache_kafka_storage_internals_log="info")

    def __init__(self, directory: Path, like: CleaningKafka | None = None, jvm_options: Sequence[str] = ()) -> None:
        """`like`: the node whose directory was copied here; it must not run."""
        super().__init__(directory=directory, jvm_options=jvm_options, is_formatted=like is not None)
        if like is not None:
            self.port = like.port
            self.properties = {**like.properties, "log.dirs": str(self.data_dir)}
        self.clean_at(NEVER_MS)

    def clean_at(self, backoff_ms: int) -> None:
        """From the next start on."""
        self.properties["log.cleaner.backoff.ms"] = str(backoff_ms)


def create_topic(kafka: KafkaTarget, config: Mapping[str, str]) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(TOPIC, 1, 1, config=dict(config))])[TOPIC].result(30)


class Writer:
    """Writes records by a seed. Producers stay open, so that their sequence numbers run over all segments."""

    def __init__(self, bootstrap: str, *, keys: int, seed: int, codecs: Sequence[str], abort_share: float) -> None:
        from confluent_kafka import Producer

        self._random = random.Random(seed)
        self._keys = keys
        self._seed = seed
        self._codecs = codecs
        self._abort_share = abort_share
        self._errors: list[Any] = []
        self._common = {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.num.messages": 200,
            "enable.idempotence": True,
        }
        self._plain = [Producer({**self._common, "compression.type": codec}) for codec in codecs]
        self._plain.append(Producer({**self._common, "enable.idempotence": False}))
        self._transactional = self._new_transactional()

    def _new_transactional(self) -> list[Any]:
        from confluent_kafka import Producer

        made = []
        for n, codec in enumerate(("none", self._codecs[len(self._codecs) // 2], "none")):
            producer = Producer(
                {
                    **self._common,
                    "compression.type": codec,
                    "transactional.id": f"t{n}-{self._seed}",
                    "transaction.timeout.ms": 900_000,
                }
            )
            producer.init_transactions(30)
            made.append(producer)
        return made

    def settle(self) -> None:
        """Wait until the coordinator knows that all transactions have ended: it lets no producer begin before.

        The end of a transaction is acknowledged when it is decided. A coordinator that is stopped before it has noted
        the markers writes them again at its next start, behind what klamm is given to compare.
        """
        self._transactional = self._new_transactional()

    def _value(self) -> bytes | None:
        draw = self._random.random()
        if draw < 0.03:
            return None
        return self._random.randbytes(self._random.randrange(20)) + b"value " * self._random.randrange(1, 40)

    def _key(self) -> bytes:
        number = self._random.randrange(self._keys)
        return f"key-{number}".encode() * (1 if number % 10 else 1 + number % 70)

    def _send(self, producer: Any, count: int) -> None:
        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                self._errors.append(error)

        for _ in range(count):
            headers = [("h", b"1"), ("n", None)] if self._random.random() < 0.1 else None
            producer.produce(TOPIC, key=self._key(), value=self._value(), headers=headers, partition=0,
                             on_delivery=delivered)  # fmt: skip
            producer.poll(0)

    def _flush(self, producer: Any) -> None:
        if producer.flush(60) or self._errors:
            raise RuntimeError(f"records were not written: {self._errors[:3]}")

    def write(self, count: int) -> None:
        """`count` records, by turns of all producers. Each transaction is a turn; some turns overlap."""
        written = 0
        while written < count:
            size = min(CHUNK, count - written)
            if self._random.random() < 0.5:
                producer = self._random.choice(self._plain)
                self._send(producer, size)
                self._flush(producer)
            else:
                self._transaction(size)
            written += size

    def write_plain(self, count: int) -> None:
        """`count` records outside of transactions."""
        for producer in self._plain:
            self._send(producer, count // len(self._plain))
            self._flush(producer)

    def _transaction(self, count: int) -> None:
        producer, beside = self._random.choice(self._transactional), self._random.choice(self._plain)
        producer.begin_transaction()
        within = self._random.randrange(1, count) if count > 1 else count
        self._send(producer, within)
        self._flush(producer)
        self._send(beside, count - within)
        self._flush(beside)
        if self._random.random() < self._abort_share:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)

    def leave_one_open(self, count: int) -> None:
        """Begin a transaction that nobody ends: the cleaner must stop before it."""
        producer = self._transactional[0]
        producer.begin_transaction()
        self._send(producer, count)
        self._flush(producer)


def write(
    kafka: KafkaTarget,
    count: int,
    *,
    keys: int,
    seed: int,
    codecs: Sequence[str],
    abort_share: float = 0.4,
    leave_open: bool = False,
) -> None:
    """Have `count` records written; with `leave_open` the last twentieth lies behind an open transaction."""
    writer = Writer(kafka.bootstrap, keys=keys, seed=seed, codecs=codecs, abort_share=abort_share)
    if leave_open:
        writer.write(count - count // 20 - 10)
        writer.settle()
        writer.leave_one_open(10)
        writer.write_plain(count // 20)
    else:
        writer.write(count)
        writer.settle()


def copy_of(kafka: CleaningKafka, directory: Path) -> Path:
    """A copy of a stopped node's data, with the modification times, under `directory`."""
    directory.mkdir(parents=True)
    shutil.copytree(kafka.data_dir, directory / "data")
    return directory
