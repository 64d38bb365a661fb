"""confluent-kafka (librdkafka) in this process: records of 1,000 bytes, linger 5 ms; and read back.

The consumer's local queue must be large: when it is full, `fetch.queue.backoff.ms` (1 s) stalls the fetching, and
what is measured is the client's pause.
"""

from __future__ import annotations

import time

from confluent_kafka import Consumer, Producer, TopicPartition

from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject

RECORD_BYTES = 1000
_VALUE = bytes(range(250)) * (RECORD_BYTES // 250)
_CONSUME_TIMEOUT_S = 60.0


def produce(side: Side, topic: str, records: int) -> float:
    """Produce and wait for all acknowledgements; MB/s of record values."""
    producer = Producer(
        {
            "bootstrap.servers": side.bootstrap,
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
        }
    )
    producer.list_topics(topic, timeout=30)
    begin = time.perf_counter()
    for count in range(records):
        producer.produce(topic, _VALUE)
        if not count % 10_000:
            producer.poll(0)
    if producer.flush(_CONSUME_TIMEOUT_S):
        raise RuntimeError(f"{side.name}: records were not acknowledged")
    return records * RECORD_BYTES / (time.perf_counter() - begin) / 1e6


class LibrdkafkaProduce(Subject):
    name = "librdkafka-produce"

    def measure(self, side: Side, length: Length) -> Figures:
        topic = side.create()
        speed = produce(side, topic, length.records * 2)
        side.delete(topic)
        return {"librdkafka_produce_mb_s": speed}


class LibrdkafkaConsume(Subject):
    name = "librdkafka-consume"

    def prepare(self, side: Side, length: Length) -> None:
        topic = side.state[self.name] = side.create()
        produce(side, topic, length.records * 2)

    def measure(self, side: Side, length: Length) -> Figures:
        records = length.records * 2
        consumer = Consumer(
            {
                "bootstrap.servers": side.bootstrap,
                "group.id": "bench",
                "enable.auto.commit": False,
                "queued.min.messages": 1_000_000,
                "queued.max.messages.kbytes": 1_048_576,
                "fetch.queue.backoff.ms": 1,
            }
        )
        try:
            consumer.list_topics(side.state[self.name], timeout=30)
            begin = time.perf_counter()
            consumer.assign([TopicPartition(side.state[self.name], 0, 0)])
            seen = 0
            while seen < records:
                seen += len(consumer.consume(10_000, timeout=1))
                if time.perf_counter() - begin > _CONSUME_TIMEOUT_S:
                    raise RuntimeError(f"{side.name}: {seen} of {records} records came")
            return {"librdkafka_consume_mb_s": records * RECORD_BYTES / (time.perf_counter() - begin) / 1e6}
        finally:
            consumer.close()

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])
