"""ListOffsets and OffsetForLeaderEpoch."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import TIMESTAMP, Run, Topic, batch
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.kproto.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest


def _ask(run: Run, version: int, note: str, *topics: tuple[str, list[dict[str, Any]]], isolation: int = 0) -> None:
    rows = [{"name": name, "partitions": partitions} for name, partitions in topics]
    run.ask(ListOffsetsRequest, version, note, replica_id=-1, isolation_level=isolation, topics=rows, timeout_ms=1000)


def _filled(run: Run) -> Topic:
    topic = run.topic(2)
    run.produce(topic, batch(b"a", b"b", b"c"), batch(b"d", b"e", timestamp=TIMESTAMP + 100), batch(b"f"))
    return topic


@case
def timestamps(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(ListOffsetsRequest):
        for at in (*range(-8, 1), TIMESTAMP - 1, TIMESTAMP, TIMESTAMP + 1, TIMESTAMP + 2, TIMESTAMP + 3,
                   TIMESTAMP + 100, TIMESTAMP + 101, TIMESTAMP + 102, 2**63 - 1, -(2**63)):  # fmt: skip
            for index in (0, 1):
                row = {"partition_index": index, "timestamp": at, "current_leader_epoch": -1}
                _ask(run, version, f"timestamp {at} in partition {index}", (topic.name, [row]))


@case
def wrong_requests(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(ListOffsetsRequest):
        row = {"partition_index": 0, "timestamp": -1}
        _ask(run, version, "no topics")
        _ask(run, version, "no partitions", (topic.name, []))
        _ask(run, version, "unknown topic", ("no.such.topic", [row]))
        _ask(run, version, "empty name", ("", [row]))
        _ask(run, version, "invalid name", ("a/b", [row]))
        for index in (2, -1, 2**31 - 1):
            _ask(run, version, f"partition {index}", (topic.name, [{"partition_index": index, "timestamp": -1}]))
        _ask(run, version, "a partition twice", (topic.name, [row, row]))
        _ask(run, version, "a partition twice, and another", (topic.name, [row, row, {**row, "partition_index": 1}]))
        _ask(run, version, "a topic twice", (topic.name, [row]), (topic.name, [row]))
        for epoch in (-2, -1, 0, 1, 100):
            for at in (-1, -2, -3, TIMESTAMP):
                at_epoch = {**row, "timestamp": at, "current_leader_epoch": epoch}
                _ask(run, version, f"timestamp {at}, leader epoch {epoch}", (topic.name, [at_epoch]))
        for isolation in (1, 2, -1):
            _ask(run, version, f"isolation level {isolation}", (topic.name, [row]), isolation=isolation)


@case
def replicas(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(ListOffsetsRequest):
        for replica_id in (-3, -2, 0, 1, 5):
            rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "timestamp": -1}]}]
            run.ask(ListOffsetsRequest, version, f"replica {replica_id}", replica_id=replica_id, topics=rows)


@case
def epochs(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(OffsetForLeaderEpochRequest):
        for replica_id in (-2, -1, 1):
            for index in (0, 1, 2, -1):
                for current in (-1, 0, 1):
                    for epoch in (-2, -1, 0, 1, 2**31 - 1):
                        row = {"partition": index, "current_leader_epoch": current, "leader_epoch": epoch}
                        run.ask(OffsetForLeaderEpochRequest, version,
                                f"replica {replica_id} partition {index} current {current} epoch {epoch}",
                                replica_id=replica_id, topics=[{"topic": topic.name, "partitions": [row]}])  # fmt: skip
        row = {"partition": 0, "current_leader_epoch": -1, "leader_epoch": 0}
        for note, topics in (("nothing", []), ("no partitions", [{"topic": topic.name, "partitions": []}]),
                             ("unknown topic", [{"topic": "no.such.topic", "partitions": [row]}]),
                             ("empty name", [{"topic": "", "partitions": [row]}]),
                             ("twice", [{"topic": topic.name, "partitions": [row, row]}])):  # fmt: skip
            run.ask(OffsetForLeaderEpochRequest, version, note, replica_id=-1, topics=topics)


@case
def log_append_time(run: Run) -> None:
    topic = run.topic(message_timestamp_type="LogAppendTime")
    run.produce(topic, batch(b"a", b"b", b"c"))
    for version in run.versions(ListOffsetsRequest, low=7):
        for at in (-3, 0, TIMESTAMP):
            _ask(run, version, f"timestamp {at}", (topic.name, [{"partition_index": 0, "timestamp": at}]))


@case
def over_segments(run: Run) -> None:
    """By time and by the highest timestamp, over segments whose timestamps do not rise, some of them hidden."""
    one = batch(b"a" * 50, b"b" * 50)
    topic = run.topic(internal_segment_bytes=str(3 * len(one)), index_interval_bytes="0")
    ages = (0, 1000, 1, 5, 2000, 3, 7, 8, 1500, 2000, 12, 2500, 14)
    for at in ages:
        run.produce(topic, batch(b"a" * 50, b"b" * 50, timestamp=TIMESTAMP + at))
    for start in (0, 4, 5, 8, 11, 19):
        if start:
            rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "offset": start}]}]
            run.ask(DeleteRecordsRequest, 2, f"below {start}", topics=rows, timeout_ms=1000)
        for at in (-3, *sorted({TIMESTAMP + age + d for age in ages for d in (-1, 0, 1, 2)})):
            note = f"from {start}, timestamp {at}"
            _ask(run, 7, note, (topic.name, [{"partition_index": 0, "timestamp": at}]))


@case
def compressed(run: Run) -> None:
    topic = run.topic()
    for codec in (1, 2, 3, 4):
        run.produce(topic, batch(b"a", b"b", b"c", compression=codec, timestamp=TIMESTAMP + 10 * codec))
    for version in run.versions(ListOffsetsRequest, low=7):
        for at in (-3, *range(TIMESTAMP + 9, TIMESTAMP + 45, 3)):
            _ask(run, version, f"timestamp {at}", (topic.name, [{"partition_index": 0, "timestamp": at}]))
