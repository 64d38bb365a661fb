"""Every setting of a topic that its log goes by, changed while the broker runs: it holds for what comes next.

What shows only on the disk (segments, indexes) is read there: both brokers have the same files.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable
from pathlib import Path

from compat.differential.cases import case
from compat.differential.run import TIMESTAMP, Run, Topic, batch, records_for
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.produce import ProduceRequest

PRODUCE = 12
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def alter(run: Run, topic: Topic, **configs: str | None) -> None:
    """Set settings (None: back to the default) and wait until the broker has taken them up."""
    rows = [
        {"name": name.replace("_", "."), "config_operation": 1 if value is None else 0, "value": value}
        for name, value in configs.items()
    ]
    resource = {"resource_type": 2, "resource_name": topic.name, "configs": rows}
    answer = run.quiet(IncrementalAlterConfigsRequest, 1, resources=[resource], validate_only=False).responses[0]
    if answer.error_code:
        raise RuntimeError(f"{configs}: error {answer.error_code}, {answer.error_message}")
    run.settle()


def produce(run: Run, note: str, topic: Topic, data: bytes, version: int = PRODUCE, **more: int) -> None:
    run.ask(ProduceRequest, version, note, **records_for(topic, data, **more))


def read_back(run: Run, topic: Topic, note: str) -> None:
    row = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 24}
    wants = [{"topic": topic.name, "topic_id": topic.topic_id, "partitions": [row]}]
    run.ask(FetchRequest, 12, note, replica_id=-1, max_wait_ms=0, min_bytes=0, topics=wants)


def segments(run: Run, topic: Topic, note: str) -> list[Path]:
    """Record the base offsets of the segments on the disk; gives the files."""
    found = sorted((run.target.data_dir / f"{topic.name}-0").glob("*.log"))
    run.record("files", 0, note, [int(path.stem) for path in found])
    return found


def indexes(run: Run, topic: Topic, bases: Iterable[int]) -> None:
    """Record the entries of the indexes of sealed segments, which are written behind the roll."""
    for base in bases:
        for suffix, size, form in ((".index", 8, ">ii"), (".timeindex", 12, ">qi")):
            path = run.target.data_dir / f"{topic.name}-0" / f"{base:020d}{suffix}"
            data: bytes | None = None
            before: bytes | None = None
            for _ in run.attempts(f"{path.name} is not written"):
                # A file of Kafka's is cut to its entries by the roll, one of klamm's appears and is filled then.
                data, before = path.read_bytes() if path.exists() else None, data
                if data is not None and data == before and len(data) < 1 << 20:
                    break
                time.sleep(0.03)
            assert data is not None
            rows = [list(struct.unpack_from(form, data, at)) for at in range(0, len(data), size)]
            run.record("files", 0, path.name, rows)


@case
def cleanup_policy(run: Run) -> None:
    topic = run.topic()
    delete = {"name": topic.name, "partitions": [{"partition_index": 0, "offset": 1}]}
    for policy in ("compact", "delete", "compact,delete", "compact", None):
        alter(run, topic, cleanup_policy=policy)
        produce(run, f"no key, {policy}", topic, batch(b"a", b"b"))
        produce(run, f"a key, {policy}", topic, batch(b"a", key=b"k"))
        produce(run, f"an empty key, {policy}", topic, batch(b"a", key=b""))
        run.ask(DeleteRecordsRequest, 2, f"delete, {policy}", topics=[delete], timeout_ms=1000)
    read_back(run, topic, "read back")


@case
def compression_type(run: Run) -> None:
    topic = run.topic()
    for kind in ("gzip", "snappy", "lz4", "zstd", "uncompressed", "producer", None):
        alter(run, topic, compression_type=kind)
        for codec in range(5):
            for count in (1, 20):
                values = [b"value " * 10 + b"%d" % n for n in range(count)]
                data = batch(*values, compression=codec, key=b"k", headers=(("h", b"v"), ("n", None)))
                produce(run, f"{count} records, {CODECS[codec]} to {kind}", topic, data)
        read_back(run, topic, f"read back {kind}")


@case
def compression_levels(run: Run) -> None:
    """Every level is taken, and a higher one does not make more of the same records."""
    values = [b"%d a value that repeats itself, itself, itself %d" % (n, n * n) for n in range(400)]
    for codec, levels in (("gzip", ("-1", "1", "9")), ("lz4", ("1", "9", "17")), ("zstd", ("-7", "1", "3", "22"))):
        topic = run.topic(compression_type=codec)
        sizes = []
        for level in levels:
            alter(run, topic, **{f"compression_{codec}_level": level})
            produce(run, f"{codec} {level}", topic, batch(*values))
            sizes.append(_size(run, topic))
        run.record("sizes", 0, codec, [a - b >= b - c for a, b, c in zip(sizes, sizes[1:], sizes[2:], strict=False)])
        read_back(run, topic, f"read back {codec}")
        for level in ("0", "23", "10", "100", "-2", "x"):
            row = {"name": f"compression.{codec}.level", "config_operation": 0, "value": level}
            resource = {"resource_type": 2, "resource_name": topic.name, "configs": [row]}
            run.ask(IncrementalAlterConfigsRequest, 1, f"{codec} {level}", resources=[resource], validate_only=True)


def _size(run: Run, topic: Topic) -> int:
    return sum(path.stat().st_size for path in (run.target.data_dir / f"{topic.name}-0").glob("*.log"))


@case
def timestamp_type(run: Run) -> None:
    topic = run.topic()
    for kind in ("LogAppendTime", "CreateTime", "LogAppendTime", None):
        alter(run, topic, message_timestamp_type=kind)
        for codec in (0, 1, 4):
            data = batch(b"a", b"b", compression=codec)
            produce(run, f"{CODECS[codec]}, {kind}", topic, data)
            produce(run, f"{CODECS[codec]}, no timestamp, {kind}", topic, batch(b"a", timestamp=-1, compression=codec))
    alter(run, topic, message_timestamp_type="LogAppendTime", compression_type="lz4")
    produce(run, "recompressed with log append time", topic, batch(b"a", b"b", b"c"))
    alter(run, topic, message_timestamp_before_max_ms="1000", message_timestamp_after_max_ms="1000")
    produce(run, "bounds do not hold for log append time", topic, batch(b"a", b"b", b"c"))
    read_back(run, topic, "read back")


@case
def timestamp_bounds(run: Run) -> None:
    topic = run.topic()
    far = 2**62
    for before, after in (("1000", None), (None, "0"), (None, str(2**63 - 1)), ("0", "0"), (None, None)):
        alter(run, topic, message_timestamp_before_max_ms=before, message_timestamp_after_max_ms=after)
        for codec in (0, 2):
            for note, at in (("long ago", TIMESTAMP), ("far ahead", far), ("none", -1)):
                data = batch(b"a", b"b", timestamp=at, compression=codec)
                if note == "none":
                    data = batch(b"a", timestamp=at, compression=codec)
                produce(run, f"{note}, {CODECS[codec]}, before {before}, after {after}", topic, data)
    read_back(run, topic, "read back")


@case
def max_message_bytes(run: Run) -> None:
    topic = run.topic()
    plain, squeezed = batch(b"x" * 500, b"y" * 500), batch(b"x" * 500, b"y" * 500, compression=1)
    for size in (len(plain), len(squeezed)):
        for limit in (size - 1, size, size + 1):
            alter(run, topic, max_message_bytes=str(limit))
            produce(run, f"plain, {limit - size} from a size", topic, plain)
            produce(run, f"gzip, {limit - size} from a size", topic, squeezed)
    alter(run, topic, max_message_bytes=str(len(plain) - 1), compression_type="uncompressed")
    produce(run, "too large once it is unpacked", topic, squeezed)
    alter(run, topic, max_message_bytes=str(len(plain)))
    produce(run, "just fits once it is unpacked", topic, squeezed)
    alter(run, topic, max_message_bytes=str(len(plain) - 1), compression_type="gzip")
    produce(run, "too large before it is compressed", topic, plain)
    read_back(run, topic, "read back")


@case
def segment_bytes(run: Run) -> None:
    topic = run.topic(max_message_bytes="4000000")
    big = batch(b"x" * 300_000)
    for _ in range(5):
        produce(run, "no roll", topic, big)
    alter(run, topic, segment_bytes=str(1 << 20))
    for _ in range(9):
        produce(run, "rolls", topic, big)
        segments(run, topic, "at 1 MiB")
    exact = next(data for n in range(200) if len(data := batch(b"x" * ((1 << 20) - n))) == 1 << 20)
    produce(run, "as large as a segment", topic, exact)
    produce(run, "larger than a segment", topic, batch(b"x" * (1 << 20)))
    alter(run, topic, segment_bytes=str(1 << 21))
    produce(run, "no longer larger", topic, batch(b"x" * (1 << 20)))
    produce(run, "goes on", topic, big)
    segments(run, topic, "at the end")


@case
def segment_bytes_at_the_bound(run: Run) -> None:
    one = batch(b"x" * 100)
    for extra in (-1, 0, 1):
        topic = run.topic(internal_segment_bytes=str(3 * len(one) + extra), index_interval_bytes="0")
        for _ in range(8):
            run.produce(topic, one)
        segments(run, topic, f"room for three batches and {extra} bytes")
        indexes(run, topic, [int(p.stem) for p in segments(run, topic, "again")[:-1]])


@case
def segment_ms(run: Run) -> None:
    topic = run.topic()
    at = TIMESTAMP
    for limit in (1000, 10_000, 1):
        alter(run, topic, segment_ms=str(limit))
        for step in (limit, 1, -limit, 2 * limit, 0, limit + 1):
            at += step
            produce(run, f"{step} ms later, segment.ms {limit}", topic, batch(b"a", timestamp=at))
            segments(run, topic, f"{step} ms later, segment.ms {limit}")
    alter(run, topic, segment_ms="1000")
    produce(run, "no timestamp", topic, batch(b"a", timestamp=-1))
    produce(run, "with one", topic, batch(b"a", timestamp=at))
    segments(run, topic, "batches without timestamps")
    indexes(run, topic, [int(p.stem) for p in segments(run, topic, "again")[:-1]])


@case
def segment_jitter(run: Run) -> None:
    topic = run.topic(segment_ms="1000", segment_jitter_ms="1")
    for n in range(6):
        run.produce(topic, batch(b"a", timestamp=TIMESTAMP + n * 500))
        segments(run, topic, f"{n * 500} ms later")


@case
def index_settings(run: Run) -> None:
    """How often and how much is indexed is what a segment was begun with."""
    topic = run.topic(segment_ms="1000")
    one = [batch(b"x" * 90, timestamp=TIMESTAMP + n) for n in range(8)]
    run.produce(topic, *one)
    alter(run, topic, index_interval_bytes="100")
    run.produce(topic, *one)
    run.produce(topic, batch(b"r", timestamp=TIMESTAMP + 2000))  # rolls
    run.produce(topic, *[batch(b"x" * 90, timestamp=TIMESTAMP + 2000 + n) for n in range(8)])
    run.produce(topic, batch(b"r", timestamp=TIMESTAMP + 4000))
    segments(run, topic, "changed before a roll")
    alter(run, topic, segment_index_bytes="24")
    run.produce(topic, *[batch(b"x" * 120, timestamp=TIMESTAMP + 4000 + n) for n in range(12)])
    run.produce(topic, batch(b"r", timestamp=TIMESTAMP + 6000))
    run.produce(topic, *[batch(b"x" * 120, timestamp=TIMESTAMP + 6000) for n in range(12)])
    indexes(run, topic, [int(p.stem) for p in segments(run, topic, "with small indexes")[:-1]])


@case
def index_is_full(run: Run) -> None:
    for size in (24, 25, 36, 40, 47, 48, 60):
        topic = run.topic(segment_index_bytes=str(size), index_interval_bytes="0")
        for n in range(12):
            run.produce(topic, batch(b"x", timestamp=TIMESTAMP + (n if size % 3 else 0)))
        segments(run, topic, f"indexes of {size} bytes")
        indexes(run, topic, [int(p.stem) for p in segments(run, topic, "again")[:-1]])


@case
def preallocate(run: Run) -> None:
    topic = run.topic(segment_bytes=str(1 << 20), preallocate="true")
    other = run.topic(segment_bytes=str(1 << 20))
    for where in (topic, other):
        _sizes(run, where, "empty")
        run.produce(where, batch(b"x" * 600_000))
        _sizes(run, where, "one batch")
        alter(run, where, preallocate="true")
        run.produce(where, batch(b"x" * 600_000))
        _sizes(run, where, "rolled")
        alter(run, where, preallocate="false")
        run.produce(where, batch(b"x" * 600_000))
        _sizes(run, where, "rolled again")
        read_back(run, where, "read back")


def _sizes(run: Run, topic: Topic, note: str) -> None:
    found = sorted((run.target.data_dir / f"{topic.name}-0").glob("*.log"))
    run.record("files", 0, note, [path.stat().st_size for path in found])


@case
def min_insync_replicas(run: Run) -> None:
    topic = run.topic()
    for least in ("2", "1", "3", None):
        alter(run, topic, min_insync_replicas=least)
        for acks in (-1, 1):
            produce(run, f"acks {acks}, at least {least}", topic, batch(b"a"), acks=acks)


@case
def described(run: Run) -> None:
    """What a change leaves behind is what the topic is described with."""
    topic = run.topic()
    for configs in ({"retention_ms": "5000"}, {"retention_bytes": "100", "retention_ms": None},
                    {"file_delete_delay_ms": "10", "flush_messages": "1", "flush_ms": "50"}):  # fmt: skip
        alter(run, topic, **configs)
        produce(run, f"{configs}", topic, batch(b"a"))
        rows = [{"resource_type": 2, "resource_name": topic.name, "configuration_keys": None}]
        run.ask(DescribeConfigsRequest, 4, f"{configs}", resources=rows, include_synonyms=True)
