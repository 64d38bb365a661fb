"""Every record of a broker by a real consumer (librdkafka), at both isolation levels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

Partition = tuple[str, int]
LEVELS = ("read_uncommitted", "read_committed")
_TIMEOUT_S = 60.0


def consume(bootstrap: str, partitions: Iterable[Partition], level: str) -> dict[Partition, tuple[int, str]]:
    """How many records a consumer of that isolation level gets of each partition, and a digest of them."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "isolation.level": level,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "check.crcs": True,
            "fetch.wait.max.ms": 20,
            "log_level": 0,
        }
    )
    left = set(partitions)
    told = {partition: (0, hashlib.sha256()) for partition in left}
    consumer.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for topic, index in sorted(left)])
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while left:
            assert time.monotonic() < deadline, f"{level}: no end of {sorted(left)}"
            for message in consumer.consume(500, 0.2):
                topic, index = message.topic(), message.partition()
                assert topic is not None and index is not None
                where = topic, index
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, f"{where}: {error}"
                    left.discard(where)
                    continue
                row = (message.offset(), message.timestamp(), message.key(), message.value(), message.headers())
                count, digest = told[where]
                digest.update(repr(row).encode())
                told[where] = count + 1, digest
    finally:
        consumer.close()
    return {partition: (count, digest.hexdigest()[:16]) for partition, (count, digest) in told.items()}
