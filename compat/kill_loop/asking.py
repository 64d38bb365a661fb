"""What is asked of brokers to compare it with the ledger: the log, and what groups have committed.

The clients that ask have never spoken to the broker before; they know it by its bootstrap address only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition

from compat.kill_loop.ledger import Ledger, Reading

TIMEOUT_S = 60.0
# What a broker answers until it has loaded its groups; librdkafka leaves the retry to its user.
LOADING = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError._TIMED_OUT)


def wait_for(condition: Callable[[], bool], what: str, ledger: Ledger, timeout_s: float = TIMEOUT_S) -> None:
    """Return when `condition` holds. Raises TimeoutError, with the violations so far."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {timeout_s} s; violations: {ledger.violations}")
        time.sleep(0.01)


class Asking:
    """Questions about one topic of the ledger's."""

    def __init__(self, bootstrap: str, topic: str, ledger: Ledger) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.ledger = ledger

    def check_committed(self, group: str, promised: Mapping[int, int]) -> None:
        """Compare what the broker has for the group with what was `promised` before it was asked."""
        self.ledger.check_committed(group, promised, self.committed(group))

    def committed(self, group: str) -> dict[int, int]:
        """What the broker says the group has committed."""
        consumer = self._consumer(group)
        deadline = time.monotonic() + TIMEOUT_S
        asked = [TopicPartition(self.topic, p) for p in range(self.ledger.partitions)]
        try:
            while True:
                try:
                    found = consumer.committed(asked, timeout=10)
                    return {tp.partition: tp.offset for tp in found if tp.offset >= 0}
                except confluent_kafka.KafkaException as error:
                    if error.args[0].code() not in LOADING or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
        finally:
            consumer.close()

    def read_on(self, reading: Reading) -> int:
        """Read from where `reading` stands to the last acknowledged record of each partition, and compare."""
        ends = self.ledger.ends()
        consumer = self._consumer("reader")
        partitions = range(self.ledger.partitions)
        consumer.assign([TopicPartition(self.topic, p, reading.next_offsets.get(p, 0)) for p in partitions])
        try:
            return sum(self.ledger.check_read(reading, batch) for batch in self._batches(consumer, reading, ends))
        finally:
            consumer.close()
            self.ledger.check_end(reading, ends)

    def read_all(self) -> None:
        """Once nothing more is sent: every record that ever was is in the log, from its first offset on."""
        reading = Reading()
        self.read_on(reading)
        self.ledger.check_all_there(reading)

    def _batches(
        self, consumer: confluent_kafka.Consumer, reading: Reading, ends: dict[int, int]
    ) -> Iterator[list[tuple[int, int, bytes | None]]]:
        deadline = time.monotonic() + TIMEOUT_S
        while any(reading.next_offsets.get(p, 0) < end for p, end in ends.items()) and time.monotonic() < deadline:
            batch = []
            for message in consumer.consume(5_000, timeout=0.2):
                partition, offset, error = message.partition(), message.offset(), message.error()
                if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
                    # The log ends before an acknowledged record: no use in waiting for it.
                    self.ledger.violate(f"reading on failed: {error}")
                    return
                if error is None and partition is not None and offset is not None:
                    batch.append((partition, offset, message.value()))
            if batch:
                deadline = time.monotonic() + TIMEOUT_S  # a long log takes its time; only silence is an end
            yield batch

    def _consumer(self, group: str) -> confluent_kafka.Consumer:
        settings = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "error", "log_level": 0}
        return confluent_kafka.Consumer(settings | {"bootstrap.servers": self.bootstrap})
