"""Metadata, DescribeTopicPartitions, DescribeCluster, DescribeQuorum, DescribeLogDirs, DescribeProducers."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Run, batch
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest
from klamm.kproto.messages.describe_log_dirs import DescribeLogDirsRequest
from klamm.kproto.messages.describe_producers import DescribeProducersRequest
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest
from klamm.kproto.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from klamm.kproto.messages.metadata import MetadataRequest

UNKNOWN_ID = b"\x11" * 16


def _ask(run: Run, version: int, note: str, *topics: dict[str, Any], create: bool = False, **more: Any) -> Any:
    values = {"topics": topics, "allow_auto_topic_creation": create, **more}
    return run.ask(MetadataRequest, version, note, **values)


@case
def by_name(run: Run) -> None:
    topic, other = run.topic(3), run.topic()
    for version in run.versions(MetadataRequest):
        _ask(run, version, "one", {"name": topic.name})
        _ask(run, version, "two", {"name": topic.name}, {"name": other.name})
        _ask(run, version, "twice", {"name": topic.name}, {"name": topic.name})
        if version >= 4:
            _ask(run, version, "unknown", {"name": "no.such.topic"})
            _ask(run, version, "known and unknown", {"name": topic.name}, {"name": "no.such.topic"})
        for bad in ("", ".", "..", "a/b", "../../etc", "é", "x" * 250):
            _ask(run, version, f"name {bad[:12]!r}", {"name": bad})
            _ask(run, version, f"name {bad[:12]!r}, may be created", {"name": bad}, create=True)
        if version >= 1:
            _ask(run, version, "empty list")
        if version >= 8:
            operations = {"include_topic_authorized_operations": True}
            if version <= 10:
                operations["include_cluster_authorized_operations"] = True
            _ask(run, version, "authorized operations", {"name": topic.name}, **operations)


@case
def everything(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(MetadataRequest):
        asked: list[Any] | None = [] if version == 0 else None
        answer = run.quiet(MetadataRequest, version, topics=asked, allow_auto_topic_creation=False)
        found = sorted(t.name for t in answer.topics if t.name == topic.name)
        run.record("Metadata", version, "all topics hold the case's own", [found, answer.brokers[0].node_id])


@case
def by_id(run: Run) -> None:
    topic = run.topic(2)
    for version in run.versions(MetadataRequest, low=10):
        _ask(run, version, "id", {"name": None, "topic_id": topic.topic_id})
        _ask(run, version, "unknown id", {"name": None, "topic_id": UNKNOWN_ID})
        _ask(run, version, "id and name", {"name": topic.name, "topic_id": topic.topic_id})
        _ask(run, version, "unknown id and name", {"name": topic.name, "topic_id": UNKNOWN_ID})
        _ask(run, version, "neither", {"name": None, "topic_id": bytes(16)})
        _ask(run, version, "one by id, one by name", {"name": None, "topic_id": topic.topic_id}, {"name": topic.name})
        _ask(run, version, "known and unknown", {"name": None, "topic_id": topic.topic_id},
             {"name": None, "topic_id": UNKNOWN_ID})  # fmt: skip


@case
def auto_creation(run: Run) -> None:
    for version in run.versions(MetadataRequest):
        name = run.new_name()
        _ask(run, version, "not there yet", {"name": name}, create=True)
        for _ in run.attempts("not created"):
            answer = run.quiet(MetadataRequest, version, topics=[{"name": name}], allow_auto_topic_creation=True)
            if not answer.topics[0].error_code and not answer.topics[0].partitions[0].error_code:
                break
        _ask(run, version, "created", {"name": name}, create=True)
        if version >= 4:
            _ask(run, version, "may not be created", {"name": run.new_name()})


@case
def describe_topic_partitions(run: Run) -> None:
    def ask(note: str, names: list[str], limit: int = 2000, cursor: tuple[str, int] | None = None) -> None:
        at = None if cursor is None else {"topic_name": cursor[0], "partition_index": cursor[1]}
        run.ask(DescribeTopicPartitionsRequest, 0, note, topics=[{"name": name} for name in names],
                response_partition_limit=limit, cursor=at)  # fmt: skip

    first, second, third = run.topic(2), run.topic(3), run.topic(7)
    both = [first.name, second.name]
    ask("one", [first.name])
    ask("two", both)
    ask("out of order, twice", [second.name, first.name, second.name])
    ask("unknown", ["no.such.topic"])
    ask("unknown between", [first.name, "aaa.no.such", second.name, "zzz.no.such"])
    for name in ("", "a/b", ".."):
        ask(f"name {name!r}", [name])
    for limit in (-1, 0, 1, 2, 3, 4, 5, 6):
        ask(f"limit {limit}", both, limit)
        ask(f"limit {limit}, unknown first", ["aaa.no.such", *both], limit)
    ask("more than the server's limit", [third.name])
    ask("more than the server's limit, two topics", [first.name, third.name])
    for index in (-1, 0, 1, 2, 3, 99):
        ask(f"cursor at {index} of the first", both, 2, (first.name, index))
        ask(f"cursor at {index} of the second", both, 2, (second.name, index))
    ask("cursor at an unknown topic", both, 2, (first.name + ".a", 1))
    ask("cursor behind all", both, 2, ("zzz", 0))
    ask("cursor at a topic that was not asked for", [second.name], 2, (first.name, 1))


@case
def describe_cluster(run: Run) -> None:
    for version in run.versions(DescribeClusterRequest):
        for operations in (False, True):
            for fenced in (False, True):
                for kind in (1, 2, 3, 0, -1) if version else (1,):
                    run.ask(DescribeClusterRequest, version, f"operations {operations} fenced {fenced} type {kind}",
                            include_cluster_authorized_operations=operations, endpoint_type=kind,
                            include_fenced_brokers=fenced)  # fmt: skip


@case
def describe_quorum(run: Run) -> None:
    for version in run.versions(DescribeQuorumRequest):
        for note, topics in (
            ("the quorum", [("__cluster_metadata", [0])]),
            ("nothing", []),
            ("no partitions", [("__cluster_metadata", [])]),
            ("partition 1", [("__cluster_metadata", [1])]),
            ("two partitions", [("__cluster_metadata", [0, 1])]),
            ("another topic", [("other", [0])]),
            ("two topics", [("__cluster_metadata", [0]), ("other", [0])]),
        ):
            rows = [{"topic_name": t, "partitions": [{"partition_index": i} for i in p]} for t, p in topics]
            run.ask(DescribeQuorumRequest, version, note, topics=rows)


@case
def describe_log_dirs(run: Run) -> None:
    topic = run.topic(2)
    run.produce(topic, batch(b"a", b"b"), batch(b"c"))
    for version in run.versions(DescribeLogDirsRequest):
        for note, topics in (
            ("one topic", [(topic.name, [0, 1])]),
            ("one partition", [(topic.name, [1])]),
            ("unknown partition", [(topic.name, [0, 7])]),
            ("unknown topic", [("no.such.topic", [0])]),
            ("no partitions", [(topic.name, [])]),
            ("none", []),
        ):
            rows = [{"topic": name, "partitions": indexes} for name, indexes in topics]
            run.ask(DescribeLogDirsRequest, version, note, topics=rows)
        answer = run.quiet(DescribeLogDirsRequest, version, topics=None)
        found = [
            sorted(t.name for t in r.topics if t.name in (topic.name, "__cluster_metadata")) for r in answer.results
        ]
        run.record("DescribeLogDirs", version, "all", found)


@case
def describe_producers(run: Run) -> None:
    topic = run.topic(2)
    producer = run.producer_id()
    run.produce(topic, batch(b"a", b"b", producer_id=producer, producer_epoch=0, base_sequence=0), batch(b"plain"))
    for note, topics in (
        ("one producer", [(topic.name, [0])]),
        ("none", [(topic.name, [1])]),
        ("unknown partition", [(topic.name, [2, -1])]),
        ("unknown topic", [("no.such.topic", [0])]),
        ("invalid name", [("a/b", [0])]),
        ("empty name", [("", [0])]),
        ("no partitions", [(topic.name, [])]),
        ("no topics", []),
        ("twice", [(topic.name, [0, 0])]),
    ):
        rows = [{"name": name, "partition_indexes": indexes} for name, indexes in topics]
        run.ask(DescribeProducersRequest, 0, note, topics=rows)
