"""Makes data directories with something of everything in them, by a running broker (klamm or real Kafka).

Text has no line ends, so that every record is one line of kafka-dump-log's output. Every choice follows from the seed;
ids, timestamps of markers and the like are the broker's.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from compat.java.tools import Cli, Tools
from compat.targets import KafkaTarget, KlammTarget

TIMESTAMP = 1_700_000_000_000
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SETTINGS = {
    "offsets.topic.num.partitions": "2",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.num.partitions": "2",
    "log.cleaner.backoff.ms": "200",
    "group.share.record.lock.duration.ms": "15000",
}
"""Few partitions for the internal topics, and a cleaner that does not wait."""
_WAIT_S = 60.0
_WORDS = ("alpha", "beta", "gamma", "delta", "épsilon", "ζeta", "eta", "theta", "iota", "kappa", "lambda", "mu")


class Maker:
    """Fills one broker. `size` scales the number of records."""

    def __init__(self, broker: KafkaTarget | KlammTarget, tools: Tools | None, seed: int, size: int = 1) -> None:
        self.broker = broker
        self.cli = Cli(tools, broker.bootstrap) if tools is not None else None
        self.chance = random.Random(seed)
        self.size = size
        self.clock_ms = TIMESTAMP
        self._is_kafka = broker.name == "kafka"

    # -- lives of the broker --

    def make(self, is_short: bool = False) -> tuple[Path, Path]:
        """Three lives, two for the short form; the directory as a SIGKILL left it, and after a clean stop."""
        killed = self.broker.directory / "killed"
        self.broker.start()
        self._create()
        self.fill()
        if not is_short:
            self.broker.restart(kill=self._is_kafka)
            self._ready()
            self.fill()
        if self._is_kafka:
            self._compacted()
            self._share()
        self._delete_records()
        open_transactions = self._leave_open() if self._is_kafka else []
        self.broker.kill()
        shutil.copytree(self.broker.data_dir, killed)
        del open_transactions
        self.broker.start()
        self._ready()
        self.fill()
        self.broker.stop()
        return killed, self.broker.data_dir

    def fill(self) -> None:
        """What every life adds."""
        for codec in CODECS:
            self._produce("codecs", codec, range(2), 40)
            self._produce("idempotent", codec, range(1), 20, idempotent=True)
        self._produce("append.time", "lz4", range(1), 30)
        self._produce("segments", "none", range(1), 400)
        self._produce("compacted", "none", range(1), 300, keys=25)
        self._produce("deleted", "zstd", range(1), 200)
        self._commit("classic-group", "classic")
        if self._is_kafka:
            self._commit("new-group", "consumer")
            self._transact()

    # -- topics --

    def _create(self) -> None:
        rolling = {"segment.ms": "60000", "index.interval.bytes": "300"}
        small = {"internal.segment.bytes": "20000", "index.interval.bytes": "300"} if self._is_kafka else {}
        compacting = {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.01",
            "delete.retention.ms": "86400000",
        }
        topics: dict[str, tuple[int, dict[str, str]]] = {
            "codecs": (2, rolling),
            "idempotent": (1, rolling),
            "append.time": (1, {"message.timestamp.type": "LogAppendTime"}),
            "segments": (1, rolling),
            "compacted": (1, compacting | (small or {"segment.ms": "60000"})),
            "deleted": (1, rolling),
            "transactions": (2, small),
            "empty": (1, {}),
            "shared": (1, {}),
        }
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        created = admin.create_topics([NewTopic(n, p, 1, config=c) for n, (p, c) in topics.items()])
        for done in created.values():
            done.result(_WAIT_S)

    def _ready(self) -> None:
        """Every partition has a leader again."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})

        def have_leaders() -> bool:
            topics = admin.list_topics(timeout=10).topics.values()
            return all(p.leader >= 0 for topic in topics for p in topic.partitions.values())

        wait_until("leaders", have_leaders)

    # -- records --

    def _text(self, size: int) -> bytes:
        words = []
        while size > 0:
            words.append(self.chance.choice(_WORDS) + str(self.chance.randrange(1000)))
            size -= len(words[-1]) + 1
        return " ".join(words).encode()

    def _produce(self, topic: str, codec: str, partitions: Sequence[int], count: int, *, keys: int = 0,
                 idempotent: bool = False) -> None:  # fmt: skip
        producer = confluent_kafka.Producer({
            "bootstrap.servers": self.broker.bootstrap, "log_level": 0, "compression.type": codec, "linger.ms": 200,
            "batch.num.messages": self.chance.choice((1, 3, 10, 50)), "enable.idempotence": idempotent,
        })  # fmt: skip
        for index in range(count * self.size):
            producer.produce(topic, **self._record(index, keys), partition=self.chance.choice(partitions))
        assert producer.flush(_WAIT_S) == 0

    def _record(self, index: int, keys: int = 0) -> dict[str, Any]:
        chance = self.chance
        self.clock_ms += chance.randrange(400)
        record: dict[str, Any] = {"timestamp": self.clock_ms, "value": self._text(chance.choice((0, 5, 40, 200)))}
        if keys:
            record["key"] = f"key-{chance.randrange(keys)}"
            if index % 11 == 0:
                record["value"] = None
        elif index % 3:
            record["key"] = self._text(8)
        if index % 7 == 0:
            record["headers"] = [("trace", self._text(6)), ("empty", b""), ("null", None)]
        return record

    def _transact(self) -> None:
        """Transactions that end well, that are aborted, and that have offsets in them."""
        for number in range(4):
            producer = confluent_kafka.Producer({
                "bootstrap.servers": self.broker.bootstrap, "log_level": 0, "transactional.id": f"t-{number}",
                "linger.ms": 20, "compression.type": CODECS[number],
            })  # fmt: skip
            producer.init_transactions(_WAIT_S)
            for turn in range(3):
                producer.begin_transaction()
                for index in range(20 * self.size):
                    producer.produce("transactions", **self._record(index), partition=number % 2)
                producer.flush(_WAIT_S)
                if (number + turn) % 2:
                    producer.abort_transaction(_WAIT_S)
                else:
                    consumer = confluent_kafka.Consumer(
                        {"bootstrap.servers": self.broker.bootstrap, "log_level": 0, "group.id": "in-txn"}
                    )
                    metadata = consumer.consumer_group_metadata()
                    producer.send_offsets_to_transaction([TopicPartition("codecs", 0, number)], metadata, _WAIT_S)
                    producer.commit_transaction(_WAIT_S)
                    consumer.close()

    def _leave_open(self) -> list[confluent_kafka.Producer]:
        """Producers in the midst of a transaction, which ends when they are let go of."""
        found = []
        for number in range(2):
            producer = confluent_kafka.Producer({
                "bootstrap.servers": self.broker.bootstrap, "log_level": 0, "transactional.id": f"open-{number}",
                "transaction.timeout.ms": 8000,
            })  # fmt: skip
            producer.init_transactions(_WAIT_S)
            producer.begin_transaction()
            for index in range(10):
                producer.produce("transactions", **self._record(index), partition=number)
            producer.flush(_WAIT_S)
            found.append(producer)
        return found

    # -- groups --

    def _commit(self, group: str, protocol: str) -> None:
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.broker.bootstrap, "log_level": 0, "group.id": group, "group.protocol": protocol,
            "auto.offset.reset": "earliest", "enable.auto.commit": False, "client.id": f"{group}-client",
        })  # fmt: skip
        consumer.subscribe(["codecs", "segments"])
        read: list[confluent_kafka.Message] = []
        deadline = time.monotonic() + _WAIT_S
        while len(read) < 20:
            assert time.monotonic() < deadline, f"{group} reads nothing"
            read += [m for m in consumer.consume(20, 0.2) if m.error() is None]
        consumer.commit(asynchronous=False)
        consumer.close()

    def _share(self) -> None:
        """A share group that has read and acknowledged, so that its coordinator has written its state."""
        assert self.cli is not None
        self._produce("shared", "none", range(1), 60)
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        admin.list_topics(timeout=10)
        self.cli.ok("kafka-configs", "--alter", "--entity-type", "groups", "--entity-name", "sharers",
                    "--add-config", "share.auto.offset.reset=earliest")  # fmt: skip
        self.cli.run("kafka-console-share-consumer", "--topic", "shared", "--group", "sharers",
                     "--max-messages", 40, "--timeout-ms", 20000)  # fmt: skip

    # -- what is taken away --

    def _delete_records(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        admin.delete_records([TopicPartition("deleted", 0, 90)])[TopicPartition("deleted", 0)].result(_WAIT_S)

    def _compacted(self) -> None:
        """Wait until the cleaner has been through the compacted topic."""
        checkpoint = self.broker.data_dir / "cleaner-offset-checkpoint"
        wait_until("the cleaner", lambda: checkpoint.exists() and "\ncompacted 0 " in checkpoint.read_text())


def wait_until(what: str, is_done: Callable[[], bool]) -> None:
    """Ask until it is so; an AssertionError after a minute."""
    deadline = time.monotonic() + _WAIT_S
    while not is_done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
