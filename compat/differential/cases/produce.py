"""Produce and InitProducerId: what is refused and how, idempotence, timestamps, compression."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from compat.differential.cases import case
from compat.differential.run import TIMESTAMP, Run, Topic, batch, records_for
from klamm.kproto import records
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.init_producer_id import InitProducerIdRequest
from klamm.kproto.messages.produce import ProduceRequest

UNKNOWN = Topic("no.such.topic", b"\x11" * 16)


def _ask(run: Run, version: int, note: str, topic: Topic, data: bytes | None, **more: Any) -> Any:
    return run.ask(ProduceRequest, version, note, **records_for(topic, data, **more))


def _read_back(run: Run, topic: Topic, note: str = "read back", partition: int = 0) -> None:
    row = {"partition": partition, "fetch_offset": 0, "partition_max_bytes": 1 << 24}
    wants = [{"topic": topic.name, "topic_id": topic.topic_id, "partitions": [row]}]
    run.ask(FetchRequest, 12, note, replica_id=-1, max_wait_ms=0, min_bytes=0, topics=wants)


def patched(data: bytes, at: int, form: str, value: int, checksum: bool = True) -> bytes:
    """A version 2 batch with one field of its header changed, and its checksum made right again."""
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    if checksum:
        struct.pack_into(">I", changed, 17, records.crc32c(bytes(changed[21:])))
    return bytes(changed)


def legacy(magic: int, value: bytes, key: bytes | None = None) -> bytes:
    """One record as a message of version 0 or 1."""
    parts = [struct.pack(">bb", magic, 0)]
    if magic:
        parts.append(struct.pack(">q", TIMESTAMP))
    parts.append(struct.pack(">i", -1) if key is None else struct.pack(">i", len(key)) + key)
    parts.append(struct.pack(">i", len(value)) + value)
    body = b"".join(parts)
    return struct.pack(">qiI", 0, len(body) + 4, zlib.crc32(body)) + body


@case
def success(run: Run) -> None:
    topic = run.topic(2)
    for version in run.versions(ProduceRequest):
        for acks in (-1, 1):
            data = batch(b"a", None, b"", key=b"k", headers=(("h", b"v"), ("n", None)))
            _ask(run, version, f"acks {acks}", topic, data, acks=acks)
    _read_back(run, topic)


@case
def acks(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(ProduceRequest):
        for wrong in (2, -2, 32767):
            _ask(run, version, f"acks {wrong}", topic, batch(b"a"), acks=wrong)
        _ask(run, version, "wrong acks, unknown topic", UNKNOWN, batch(b"a"), acks=3)
        run.client.send(ProduceRequest, version, **records_for(topic, batch(b"a"), acks=0))
        _ask(run, version, "after one without answer", topic, batch(b"b"))
        run.client.send(ProduceRequest, version, **records_for(UNKNOWN, batch(b"a"), acks=0))
        _ask(run, version, "after a failed one without answer", topic, batch(b"c"))


@case
def wrong_places(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(ProduceRequest):
        _ask(run, version, "unknown topic", UNKNOWN, batch(b"a"))
        _ask(run, version, "no name, zero id", Topic("", bytes(16)), batch(b"a"))
        _ask(run, version, "invalid name", Topic("a/b", b"\x12" * 16), batch(b"a"))
        for index in (1, -1, 2**31 - 1):
            _ask(run, version, f"partition {index}", topic, batch(b"a"), partition=index)
        run.ask(ProduceRequest, version, "nothing", acks=-1, timeout_ms=1000, topic_data=[])
        none = [{"name": topic.name, "topic_id": topic.topic_id, "partition_data": []}]
        run.ask(ProduceRequest, version, "no partitions", acks=-1, timeout_ms=1000, topic_data=none)
        good = {"index": 0, "records": batch(b"x")}
        unknown = {"name": UNKNOWN.name, "topic_id": UNKNOWN.topic_id, "partition_data": [good]}
        half = {"name": topic.name, "topic_id": topic.topic_id, "partition_data": [good, {**good, "index": 5}]}
        mixed = [unknown, half]
        run.ask(ProduceRequest, version, "good and bad", acks=-1, timeout_ms=1000, topic_data=mixed)
        twice = [{"name": topic.name, "topic_id": topic.topic_id, "partition_data": [good, good]}]
        run.ask(ProduceRequest, version, "a partition twice", acks=-1, timeout_ms=1000, topic_data=twice)
        _ask(run, version, "transactional id without transaction", topic, batch(b"a"), transactional_id="")
    _read_back(run, topic)


@case
def bad_records(run: Run) -> None:
    topic = run.topic()
    good = batch(b"a", b"b")
    bad = {
        "empty": b"",
        "a byte": b"\0",
        "half a header": good[:30],
        "cut short": good[:-3],
        "wrong checksum": good[:-1] + b"\x55",
        "two batches": batch(b"a") + batch(b"b"),
        "a batch and a half": good + good[:40],
        "junk behind it": good + b"\0" * 5,
        "magic 0": legacy(0, b"v"),
        "magic 1": legacy(1, b"v"),
        "magic 1 with a key": legacy(1, b"v", b"k"),
        "magic 3": patched(good, 16, ">b", 3, checksum=False),
        "magic -1": patched(good, 16, ">b", -1, checksum=False),
        "length 0": patched(good, 8, ">i", 0, checksum=False),
        "length -1": patched(good, 8, ">i", -1, checksum=False),
        "length too large": patched(good, 8, ">i", 1 << 20, checksum=False),
        "base offset 7": patched(good, 0, ">q", 7),
        "base offset -1": patched(good, 0, ">q", -1),
        "leader epoch 5": patched(good, 12, ">i", 5),
        "last offset delta 5": patched(good, 23, ">i", 5),
        "last offset delta 0": patched(good, 23, ">i", 0),
        "count 1": patched(good, 57, ">i", 1),
        "count 3": patched(good, 57, ">i", 3),
        "count 0": patched(good, 57, ">i", 0),
        "count -1": patched(good, 57, ">i", -1),
        "control bit": patched(good, 21, ">h", 0x20),
        "transactional bit": patched(good, 21, ">h", 0x10),
        "log append time bit": patched(good, 21, ">h", 0x08),
        "delete horizon bit": patched(good, 21, ">h", 0x40),
        "unknown attribute": patched(good, 21, ">h", 0x80),
        "compression 5": patched(good, 21, ">h", 5),
        "compression 7": patched(good, 21, ">h", 7),
        "producer id without epoch": patched(good, 43, ">q", 5),
        "producer epoch alone": patched(good, 51, ">h", 5),
        "sequence alone": patched(good, 53, ">i", 5),
        "record size too large": good[:61] + b"\x7e" + good[62:],
        "no records": records.build_batch([], base_offset=0, last_offset=0),
    }
    for version in run.versions(ProduceRequest):
        for note, data in bad.items():
            _ask(run, version, note, topic, data)
    _read_back(run, topic)


@case
def broken_content(run: Run) -> None:
    good = batch(b"a", b"b")
    longer = good[:61] + b"\x7e" + good[62:]
    bad = {
        "gzip that is none": patched(good, 21, ">h", 1),
        "snappy that is none": patched(good, 21, ">h", 2),
        "lz4 that is none": patched(good, 21, ">h", 3),
        "zstd that is none": patched(good, 21, ">h", 4),
        "record longer than the batch": patched(longer, 12, ">i", 0),
        "max timestamp 1": patched(good, 35, ">q", 1),
    }
    for version in run.versions(ProduceRequest, low=7):
        topic = run.topic()
        for note, data in bad.items():
            _ask(run, version, note, topic, data)
    topic = run.topic()
    run.produce(topic, patched(good, 35, ">q", 1))
    _read_back(run, topic)


@case
def null_records(run: Run) -> None:
    run.client.timeout_s = 1.0
    _ask(run, 9, "null", run.topic(), None)


@case
def idempotence(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(ProduceRequest):
        producer = run.producer_id()

        def send(note: str, sequence: int, epoch: int = 0, count: int = 2, version: int = version,
                 producer: int = producer) -> None:  # fmt: skip
            values = [b"v"] * count
            data = batch(*values, producer_id=producer, producer_epoch=epoch, base_sequence=sequence)
            _ask(run, version, note, topic, data)

        send("first", 0)
        send("second", 2)
        send("second again", 2)
        send("first again", 0)
        send("overlapping", 3)
        send("a gap", 10)
        send("larger, from the same start", 2, count=3)
        for i in range(2, 8):
            send(f"batch {i}", 2 * i)
        send("the oldest again, out of the cache", 0)
        send("the fifth from the end again", 6)
        send("new epoch, sequence not 0", 5, epoch=1)
        send("new epoch", 0, epoch=1)
        send("old epoch", 2)
        send("old epoch, known sequence", 14)
        send("epoch 32767", 0, epoch=32767)


@case
def unknown_producer(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(ProduceRequest):
        producer = run.producer_id()
        first = batch(b"v", producer_id=producer, producer_epoch=0, base_sequence=5)
        _ask(run, version, "the first sequence is not 0", topic, first)
        again = batch(b"v", producer_id=producer, producer_epoch=0, base_sequence=0)
        _ask(run, version, "back to 0", topic, again)


@case
def sequences_wrap(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(ProduceRequest):
        producer = run.producer_id()
        most = 2**31 - 1
        for note, sequence, count in (("near the end", most - 3, 2), ("over the end", most - 1, 4), ("then", 2, 1),
                                      ("again", most - 1, 4)):  # fmt: skip
            values = [b"v"] * count
            data = batch(*values, producer_id=producer, producer_epoch=0, base_sequence=sequence)
            _ask(run, version, note, topic, data)
    _read_back(run, topic)


@case
def two_producers_in_one_request(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(ProduceRequest):
        producer = run.producer_id()
        plain = batch(b"a")
        own = batch(b"b", producer_id=producer, producer_epoch=0, base_sequence=0)
        _ask(run, version, "two idempotent batches", topic,
             own + batch(b"c", producer_id=producer, producer_epoch=0, base_sequence=1))  # fmt: skip
        _ask(run, version, "plain before idempotent", topic, plain + own)


@case
def sizes(run: Run) -> None:
    topic = run.topic(max_message_bytes="200")
    for version in run.versions(ProduceRequest):
        for size in (100, 131, 132, 133, 200, 1000):
            _ask(run, version, f"value of {size}", topic, batch(b"x" * size))
        _ask(run, version, "compresses below the limit", topic, batch(b"x" * 1000, compression=1))
    segment = run.topic(segment_bytes="1048576", max_message_bytes="3000000")
    _ask(run, 12, "larger than a segment", segment, batch(b"x" * 1_200_000))


@case
def timestamps(run: Run) -> None:
    plain = run.topic()
    appended = run.topic(message_timestamp_type="LogAppendTime")
    bounded = run.topic(message_timestamp_before_max_ms="1000", message_timestamp_after_max_ms="1000")
    for version in run.versions(ProduceRequest):
        for at in (-1, 0, 1, 2**62):
            _ask(run, version, f"timestamp {at}", plain, batch(b"a", b"b", timestamp=at))
        _ask(run, version, "log append time", appended, batch(b"a", b"b"))
        _ask(run, version, "log append time, compressed", appended, batch(b"a", b"b", compression=3))
        _ask(run, version, "too old", bounded, batch(b"a", b"b", b"c"))
        _ask(run, version, "far ahead", bounded, batch(b"a", timestamp=2**61))
        _ask(run, version, "too old, compressed", bounded, batch(b"a", b"b", b"c", compression=1))
    for topic in (plain, appended, bounded):
        _read_back(run, topic)


@case
def compression_types(run: Run) -> None:
    for kind in ("uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"):
        topic = run.topic(compression_type=kind)
        for codec in range(5):
            for version in (3, 6, 7, 13):
                data = batch(b"a" * 50, b"b" * 50, compression=codec)
                _ask(run, version, f"codec {codec} to {kind}", topic, data)
        _read_back(run, topic, f"read back {kind}")


@case
def compacted(run: Run) -> None:
    topic = run.topic(cleanup_policy="compact")
    both = run.topic(cleanup_policy="compact,delete")
    for version in run.versions(ProduceRequest):
        for where in (topic, both):
            _ask(run, version, "no keys", where, batch(b"a", b"b", b"c"))
            _ask(run, version, "no keys, compressed", where, batch(b"a", b"b", compression=1))
            _ask(run, version, "keys", where, batch(b"a", b"b", key=b"k"))
            _ask(run, version, "good and bad batch", where, batch(b"a", key=b"k") + batch(b"a"))
    _read_back(run, topic)


@case
def internal_topics(run: Run) -> None:
    for version in run.versions(ProduceRequest, high=12):
        for name in ("__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"):
            _ask(run, version, name, Topic(name, bytes(16)), batch(b"a", key=b"k"))


@case
def several_codecs_read_back(run: Run) -> None:
    topic = run.topic()
    for codec in range(5):
        run.produce(topic, batch(b"a" * 200, b"b" * 200, b"c", compression=codec, key=b"k", headers=(("x", b"y"),)))
    _read_back(run, topic)


@case
def init_producer_id(run: Run) -> None:
    for version in run.versions(InitProducerIdRequest):
        for timeout in (-1, 0, 60000, 2**31 - 1):
            run.ask(InitProducerIdRequest, version, f"timeout {timeout}", transactional_id=None,
                    transaction_timeout_ms=timeout)  # fmt: skip
        run.ask(InitProducerIdRequest, version, "empty transactional id", transactional_id="",
                transaction_timeout_ms=60000)  # fmt: skip
        for producer, epoch in ((5, 3), (5, -1), (-1, 3), (-2, -2), (2**62, 32767)):
            run.ask(InitProducerIdRequest, version, f"producer {producer} epoch {epoch}", transactional_id=None,
                    transaction_timeout_ms=60000, producer_id=producer, producer_epoch=epoch)  # fmt: skip
