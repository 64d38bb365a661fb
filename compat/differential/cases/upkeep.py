"""What brokers do to logs by themselves: retention, deletes of files, producers that are forgotten."""

from __future__ import annotations

import time

from compat.differential.cases import lively_case
from compat.differential.cases.live_configs import alter, read_back
from compat.differential.cases.producers import describe, send
from compat.differential.run import TIMESTAMP, Run, Topic, batch
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.describe_producers import DescribeProducersRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest

SETTLED_S = 0.9
"""Several rounds of upkeep: what has not changed in that time does not change any more."""


def settle(run: Run, topic: Topic, note: str) -> None:
    """Wait until upkeep has nothing more to do; record the log's bounds and its files."""
    seen: tuple[object, ...] = ()
    since = time.monotonic()
    for _ in run.attempts(f"{topic.name} does not come to rest"):
        folder = run.target.data_dir / f"{topic.name}-0"
        names = sorted(p.name for p in folder.iterdir() if p.name.endswith((".log", ".log.deleted")))
        now = (*names, *_bounds(run, topic))
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > SETTLED_S:
            break
    run.record("files", 0, note, list(seen))


def _bounds(run: Run, topic: Topic) -> list[int]:
    found = []
    for at in (-2, -1):
        rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "timestamp": at}]}]
        found.append(run.quiet(ListOffsetsRequest, 1, replica_id=-1, topics=rows).topics[0].partitions[0].offset)
    return found


def _filled(run: Run, *timestamps: int, **configs: str) -> Topic:
    """A topic with three batches a segment, one batch of two records for each timestamp."""
    one = len(batch(b"x" * 100, b"y" * 100, key=b"k"))
    topic = run.topic(1, internal_segment_bytes=str(3 * one), **configs)
    for at in timestamps:
        run.produce(topic, batch(b"x" * 100, b"y" * 100, timestamp=at, key=b"k"))
    return topic


@lively_case
def retention_bytes(run: Run) -> None:
    topic = _filled(run, *[TIMESTAMP + n for n in range(16)], file_delete_delay_ms="0")
    one = len(batch(b"x" * 100, b"y" * 100, key=b"k"))
    settle(run, topic, "nothing set")
    for limit in (16 * one, 13 * one, 13 * one - 1, 10 * one + 1, 3 * one, one, 0, -1):
        alter(run, topic, retention_bytes=str(limit))
        settle(run, topic, f"retention.bytes {limit}")
    run.produce(topic, batch(b"a"))
    read_back(run, topic, "read back")


@lively_case
def retention_ms(run: Run) -> None:
    now = int(time.time() * 1000)
    hour = 3_600_000
    ages = (50, 49, 48, 30, 29, 45, 20, 19, 18, 10, 9, 8, 2, 1)
    topic = _filled(run, *[now - age * hour for age in ages], file_delete_delay_ms="0")
    settle(run, topic, "nothing set")
    for limit in (49, 47, 40, 22, 15, 5):
        alter(run, topic, retention_ms=str(limit * hour))
        settle(run, topic, f"{limit} hours")
    alter(run, topic, retention_ms="1")
    settle(run, topic, "1 ms")
    ahead = _filled(run, now - hour, now - hour, now - hour, now + hour // 2, now - hour, now - hour, now - hour,
                    retention_ms="1000", file_delete_delay_ms="0")  # fmt: skip
    settle(run, ahead, "a record of the future keeps its segment")
    old = _filled(run, *[TIMESTAMP] * 7, cleanup_policy="compact,delete", retention_ms="-1")
    alter(run, old, cleanup_policy="compact", retention_ms="1000")
    settle(run, old, "no retention on a compacted topic")


@lively_case
def deleted_records(run: Run) -> None:
    """DeleteRecords frees whole segments, but never the active one."""
    topic = _filled(run, *[TIMESTAMP + n for n in range(10)], file_delete_delay_ms="0")
    for offset in (1, 5, 6, 7, 12, 17, 18, 19, -1):
        rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "offset": offset}]}]
        run.ask(DeleteRecordsRequest, 2, f"below {offset}", topics=rows, timeout_ms=1000)
        settle(run, topic, f"below {offset}")
    run.produce(topic, batch(b"a"))
    settle(run, topic, "goes on")


@lively_case
def file_delete_delay(run: Run) -> None:
    """Deleted segments keep their files, under another name, for as long as the topic says then."""
    topic = _filled(run, *[TIMESTAMP] * 7, file_delete_delay_ms="3600000")
    alter(run, topic, retention_bytes="0")
    settle(run, topic, "an hour")
    alter(run, topic, file_delete_delay_ms="100")
    for _ in range(4):
        run.produce(topic, batch(b"x" * 100, b"y" * 100, key=b"k"))
    settle(run, topic, "a moment")


def _forgotten(run: Run, topic: Topic) -> None:
    rows = [{"name": topic.name, "partition_indexes": [0]}]
    for _ in run.attempts("the producer is not forgotten"):
        answer = run.quiet(DescribeProducersRequest, 0, topics=rows)
        if not answer.topics[0].partitions[0].active_producers:
            return


@lively_case
def producers_expire(run: Run) -> None:
    """By the time of their records. Who comes back may go on anywhere, and repeats count as new."""
    topic = run.topic()
    producer = run.producer_id()
    send(run, "old records", topic, producer, 0)
    _forgotten(run, topic)
    for note, sequence, epoch in (("the same again", 0, 0), ("the next", 2, 0), ("a gap", 50, 0), ("a gap", 10, 3),
                                  ("an old epoch", 0, 1)):  # fmt: skip
        send(run, f"{note}, after it was forgotten", topic, producer, sequence, epoch)
        _forgotten(run, topic)
    now = int(time.time() * 1000)
    send(run, "new records", topic, producer, 4, timestamp=now)
    time.sleep(SETTLED_S)
    describe(run, topic, "remembered")
    send(run, "a gap that is one", topic, producer, 40, timestamp=now)
    send(run, "old records keep nobody", topic, producer, 6)
    _forgotten(run, topic)


@lively_case
def producer_expiration_ms(run: Run) -> None:
    """The time after which producers are forgotten can be changed while the broker runs."""
    topic = run.topic()
    producer = run.producer_id()
    send(run, "new records", topic, producer, 0, timestamp=int(time.time() * 1000))
    for value in ("1000", None):
        row = {"name": "producer.id.expiration.ms", "config_operation": 0 if value else 1, "value": value}
        resource = {"resource_type": 4, "resource_name": "", "configs": [row]}
        run.ask(IncrementalAlterConfigsRequest, 1, f"to {value}", resources=[resource], validate_only=False)
        run.settle()
        if value:
            _forgotten(run, topic)
        send(run, f"sequence 9, expiration {value}", topic, producer, 9, timestamp=int(time.time() * 1000))
    time.sleep(SETTLED_S)
    describe(run, topic, "remembered again")
