"""Rounds with syncs in the background only: what the recovery point vouches for must outlive every cut of the power.

A producer's records may be lost here, acknowledged as they are; those below the recovery point that the disk had after
the cut may not, and nothing may ever be read that was not sent. Values name their record and carry a CRC.
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.power_cut.synced import SEGMENT_BYTES, PoweredBroker

SETTINGS = {
    "log.flush.scheduler.interval.ms": "100",
    "log.flush.interval.ms": "200",
    "log.flush.offset.checkpoint.interval.ms": "150",
    "log.initial.task.delay.ms": "100",
}
TOPIC = "power-cut"
PARTITIONS = 4
TIMEOUT_S = 60.0
SILENCE_S = 2.0
_MAX_REPORTED = 20
Value = tuple[int, int, int]
"""round, partition, number."""


def make_value(round_number: int, partition: int, number: int) -> bytes:
    head = f"{round_number} {partition} {number} ".encode()
    body = head * (random.Random(number).randrange(1, 40))
    return body + b"%08x" % zlib.crc32(body)


def parse_value(value: bytes | None) -> Value | None:
    """None for what is no value of ours, or not all of it."""
    if value is None or len(value) < 8 or b"%08x" % zlib.crc32(value[:-8]) != value[-8:]:
        return None
    first, second, third = (int(word) for word in value.split(b" ", 3)[:3])
    return first, second, third


@dataclass
class Round:
    number: int
    acknowledged: int
    vouched_for: int  # of those below the recovery points on the disk after the cut
    lost: int  # acknowledged, above the recovery point, and gone
    read: int
    violations: int


class Cutter:
    """One run against one broker."""

    def __init__(self, broker: PoweredBroker, data_dir: Path, *, seed: int) -> None:
        self.broker = broker
        self.violations: list[str] = []
        self.rounds: list[Round] = []
        self._data_dir = data_dir
        self._entropy = random.Random(seed)
        self._sent: set[Value] = set()
        self._acknowledged: list[dict[int, Value]] = [{} for _ in range(PARTITIONS)]
        self._lock = threading.Lock()
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        config = {"internal.segment.bytes": str(SEGMENT_BYTES)}
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config=config)])[TOPIC].result(30)

    def run(self, rounds: int) -> None:
        print("round  acked  vouched for   lost   read  violations", flush=True)
        for number in range(1, rounds + 1):
            done = self._round(number)
            self.rounds.append(done)
            print(
                f"{done.number:5}  {done.acknowledged:5}  {done.vouched_for:11}  {done.lost:5}  {done.read:5}"
                f"  {done.violations:10}",
                flush=True,
            )

    def totals(self) -> dict[str, Any]:
        return {
            "rounds": len(self.rounds),
            "acknowledged": sum(done.acknowledged for done in self.rounds),
            "vouched_for": sum(done.vouched_for for done in self.rounds),
            "lost_unsynced": sum(done.lost for done in self.rounds),
            "violations": self.violations,
            "per_round": [asdict(done) for done in self.rounds],
        }

    def _violate(self, text: str) -> None:
        if len(self.violations) < _MAX_REPORTED:
            self.violations.append(text)

    def _round(self, number: int) -> Round:
        before = sum(map(len, self._acknowledged))
        stopping = threading.Event()
        producer = threading.Thread(target=self._produce, args=(number, stopping), daemon=True)
        producer.start()
        time.sleep(self._entropy.uniform(0.6, 1.6))
        self.broker.kill()
        stopping.set()
        producer.join(TIMEOUT_S)
        acknowledged = sum(map(len, self._acknowledged)) - before
        points = self._recovery_points()
        self.broker.start()
        found = [self._read(partition) for partition in range(PARTITIONS)]
        vouched_for = lost = 0
        for partition, there in enumerate(found):
            for offset, value in self._acknowledged[partition].items():
                if offset < points[partition]:
                    vouched_for += value[0] == number
                    if there.get(offset) != value:
                        self._violate(
                            f"{partition}@{offset}: {value} was synced (recovery point {points[partition]}), "
                            f"there is {there.get(offset)}"
                        )
                elif there.get(offset) != value:
                    lost += 1
            # What is there now is what the next rounds build on.
            self._acknowledged[partition] = there
        read = sum(map(len, found))
        return Round(number, acknowledged, vouched_for, lost, read, len(self.violations))

    def _produce(self, number: int, stopping: threading.Event) -> None:
        settings = {"acks": "all", "enable.idempotence": False, "retries": 0, "linger.ms": 2, "log_level": 0}
        settings |= {"bootstrap.servers": self.broker.bootstrap, "message.timeout.ms": 3000}
        producer = confluent_kafka.Producer(settings)
        count = 0

        def on_delivery(value: Value) -> Any:
            def told(error: Any, message: Any) -> None:
                if error is None:
                    with self._lock:
                        self._acknowledged[message.partition()][message.offset()] = value

            return told

        while not stopping.is_set():
            for _ in range(40):
                value = number, count % PARTITIONS, count
                self._sent.add(value)
                try:
                    producer.produce(TOPIC, make_value(*value), partition=value[1], on_delivery=on_delivery(value))
                except BufferError:
                    break
                count += 1
            producer.poll(0.01)
        producer.purge()
        producer.flush(5)

    def _recovery_points(self) -> list[int]:
        """What the disk says after the cut."""
        points = [0] * PARTITIONS
        path = self._data_dir / "recovery-point-offset-checkpoint"
        if path.exists():
            for line in path.read_text().splitlines()[2:]:
                topic, partition, offset = line.rsplit(" ", 2)
                if topic == TOPIC:
                    points[int(partition)] = int(offset)
        return points

    def _read(self, partition: int) -> dict[int, Value]:
        """Everything that a reader gets from the start of a partition to its end."""
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": "reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "check.crcs": True,
                "log_level": 0,
            }
        )
        found: dict[int, Value] = {}
        try:
            start, end = self._bounds(consumer, partition)
            consumer.assign([TopicPartition(TOPIC, partition, start)])
            # A roll may have come through the cut and what was written before it not: then nothing is at the log's end,
            # and no reader is told so. What was promised is compared by the caller.
            deadline = time.monotonic() + TIMEOUT_S
            silent_since = time.monotonic()
            while max(found, default=start - 1) < end - 1 and time.monotonic() < min(
                silent_since + SILENCE_S, deadline
            ):
                for message in consumer.consume(5000, timeout=0.1):
                    if message.error() is not None:
                        self._violate(f"{partition}: reading failed: {message.error()}")
                        return found
                    self._take(found, partition, message)
                    silent_since = time.monotonic()
        finally:
            consumer.close()
        return found

    def _bounds(self, consumer: confluent_kafka.Consumer, partition: int) -> tuple[int, int]:
        """Log start and end, when the broker has got so far that it leads the partition."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                start, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=10)
                return start, end
            except confluent_kafka.KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _take(self, found: dict[int, Value], partition: int, message: Any) -> None:
        offset, value = message.offset(), parse_value(message.value())
        if value is None or value not in self._sent or value[1] != partition:
            self._violate(f"{partition}@{offset}: nobody sent {message.value()!r:.60}")
            return
        if offset in found:
            self._violate(f"{partition}@{offset} was read twice")
        found[offset] = value
