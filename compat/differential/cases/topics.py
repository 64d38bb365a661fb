"""CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Run, Topic, batch
from klamm.kproto.messages.create_partitions import CreatePartitionsRequest
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.metadata import MetadataRequest


def _new(name: str, partitions: int = 1, replicas: int = 1, assignments: list[tuple[int, list[int]]] | None = None,
         configs: list[tuple[str, str | None]] | None = None) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name,
        "num_partitions": partitions,
        "replication_factor": replicas,
        "assignments": [{"partition_index": i, "broker_ids": brokers} for i, brokers in assignments or ()],
        "configs": [{"name": key, "value": value} for key, value in configs or ()],
    }


def _create(run: Run, version: int, note: str, *topics: dict[str, Any], validate_only: bool = False) -> Any:
    return run.ask(CreateTopicsRequest, version, note, topics=topics, timeout_ms=30000, validate_only=validate_only)


def _show(run: Run, *names: str) -> None:
    run.settle()
    topics = [{"name": name} for name in names]
    run.ask(MetadataRequest, 12, "what there is now", topics=topics, allow_auto_topic_creation=False)


@case
def create(run: Run) -> None:
    for version in run.versions(CreateTopicsRequest):
        names = [run.new_name() for _ in range(6)]
        _create(run, version, "plain", _new(names[0], 3))
        _create(run, version, "again", _new(names[0], 3))
        _create(run, version, "default counts", _new(names[1], -1, -1))
        _create(run, version, "assigned", _new(names[2], -1, -1, [(0, [1]), (1, [1])]))
        _create(
            run, version, "with configs", _new(names[3], configs=[("cleanup.policy", "compact"), ("retention.ms", "5")])
        )
        _create(run, version, "only validated", _new(names[4]), validate_only=True)
        _create(run, version, "only validated, existing", _new(names[0]), validate_only=True)
        _create(run, version, "several, one exists", _new(names[0]), _new(names[5]))
        _create(run, version, "none")
        _show(run, *names)


@case
def create_wrong(run: Run) -> None:
    for version in run.versions(CreateTopicsRequest):
        for validate_only in (False, True):

            def ask(note: str, *topics: dict[str, Any], version: int = version, only: bool = validate_only) -> None:
                _create(run, version, f"{note}{', only validated' if only else ''}", *topics, validate_only=only)

            name = run.new_name()
            for bad in (
                "",
                ".",
                "..",
                "a/b",
                "a b",
                "é",
                "a:b",
                "x" * 250,
                "a\\b",
                "a,b",
                "a\0b",
                "__cluster_metadata",
            ):
                ask(f"name {bad[:20]!r}", _new(bad))
            for partitions in (0, -1, -2, 100_001, 2**31 - 1):
                ask(f"{partitions} partitions", _new(name if partitions != -1 else "a/b", partitions))
            for replicas in (0, -2, 2, 3, 32767):
                ask(f"{replicas} replicas", _new(name, 1, replicas))
            ask("counts and assignments", _new(name, 1, 1, [(0, [1])]))
            ask("partitions and assignments", _new(name, 1, -1, [(0, [1])]))
            ask("replicas and assignments", _new(name, -1, 1, [(0, [1])]))
            ask("unknown broker", _new(name, -1, -1, [(0, [9])]))
            ask("negative broker", _new(name, -1, -1, [(0, [-1])]))
            ask("no brokers", _new(name, -1, -1, [(0, [])]))
            ask("broker twice", _new(name, -1, -1, [(0, [1, 1])]))
            ask("assignment begins at 1", _new(name, -1, -1, [(1, [1])]))
            ask("assignment with a gap", _new(name, -1, -1, [(0, [1]), (2, [1])]))
            ask("assignment with a duplicate", _new(name, -1, -1, [(0, [1]), (0, [1])]))
            ask("negative partition", _new(name, -1, -1, [(-1, [1])]))
            ask("replica counts differ", _new(name, -1, -1, [(0, [1]), (1, [1, 9])]))
            ask("unknown config", _new(name, configs=[("no.such", "1")]))
            ask("bad value", _new(name, configs=[("retention.ms", "x")]))
            ask("value out of range", _new(name, configs=[("retention.ms", "-2")]))
            ask("bad choice", _new(name, configs=[("cleanup.policy", "burn")]))
            ask("null value", _new(name, configs=[("retention.ms", None)]))
            ask("empty value", _new(name, configs=[("cleanup.policy", "")]))
            ask("empty key", _new(name, configs=[("", "1")]))
            ask("config twice", _new(name, configs=[("retention.ms", "7"), ("retention.ms", "9")]))
            ask("min.insync.replicas 0", _new(name, configs=[("min.insync.replicas", "0")]))
            ask("topic twice", _new(name), _new(name))
            ask("topic twice, differently", _new(name), _new(name, 2))
            ask("topic twice and another bad one", _new(name), _new(name), _new("a/b"))


@case
def colliding_names(run: Run) -> None:
    run.quiet(CreateTopicsRequest, 7, topics=[_new("collide.with_it")], timeout_ms=30000)
    for version in run.versions(CreateTopicsRequest):
        for name in ("collide_with.it", "collide.with.it", "collide_with_it", "collide.with_it"):
            _create(run, version, name, _new(name))
        _create(run, version, "two that collide", _new(f"both.new{version}"), _new(f"both_new{version}"))


@case
def longest_name(run: Run) -> None:
    _create(run, 7, "249 characters", _new("x" * 249))


@case
def delete(run: Run) -> None:
    for version in run.versions(DeleteTopicsRequest, high=5):
        topic, other = run.topic(), run.topic(3)
        run.ask(DeleteTopicsRequest, version, "one", topic_names=[topic.name], timeout_ms=30000)
        run.ask(
            DeleteTopicsRequest, version, "again, and another", topic_names=[topic.name, other.name], timeout_ms=30000
        )
        for note, names in (("none", []), ("unknown", ["no.such.topic"]), ("empty name", [""]), ("invalid", ["a/b"]),
                            ("metadata topic", ["__cluster_metadata"])):  # fmt: skip
            run.ask(DeleteTopicsRequest, version, note, topic_names=names, timeout_ms=30000)
        third = run.topic()
        run.ask(DeleteTopicsRequest, version, "twice in one", topic_names=[third.name, third.name], timeout_ms=30000)
        _show(run, topic.name, other.name, third.name)


@case
def delete_by_id(run: Run) -> None:
    def ask(note: str, *topics: tuple[str | None, bytes]) -> None:
        rows = [{"name": name, "topic_id": topic_id} for name, topic_id in topics]
        run.ask(DeleteTopicsRequest, 6, note, topics=rows, timeout_ms=30000)

    first, second, third, fourth, fifth, sixth = (run.topic() for _ in range(6))
    zero = bytes(16)
    ask("by name", (first.name, zero))
    ask("by id", (None, second.topic_id))
    ask("by id again", (None, second.topic_id))
    ask("by name and id", (third.name, third.topic_id))
    ask("by neither", (None, zero))
    ask("unknown id", (None, b"\x11" * 16))
    ask("unknown name", ("no.such.topic", zero))
    ask("name and id of different topics", (third.name, fourth.topic_id))
    ask("once by name, once by id", (fifth.name, zero), (None, fifth.topic_id))
    ask("the same id twice", (None, sixth.topic_id), (None, sixth.topic_id))
    ask("the same unknown id twice", (None, b"\x11" * 16), (None, b"\x11" * 16))
    ask("the same name twice", (sixth.name, zero), (sixth.name, zero))
    _show(run, *(topic.name for topic in (first, second, third, fourth, fifth, sixth)))


@case
def create_again_after_delete(run: Run) -> None:
    topic = run.topic()
    run.produce(topic, batch(b"a"))
    run.quiet(DeleteTopicsRequest, 5, topic_names=[topic.name], timeout_ms=30000)
    _create(run, 7, "the name again", _new(topic.name))
    run.wait_for(topic.name)
    run.ask(MetadataRequest, 12, "new id", topics=[{"name": topic.name}], allow_auto_topic_creation=False)
    run.ask(MetadataRequest, 12, "by the old id", topics=[{"name": None, "topic_id": topic.topic_id}],
            allow_auto_topic_creation=False)  # fmt: skip


def _more(run: Run, version: int, note: str, *topics: tuple[str, int, list[list[int]] | None],
          only: bool = False) -> None:  # fmt: skip
    rows = [{"name": name, "count": count, "assignments": None if a is None else [{"broker_ids": b} for b in a]}
            for name, count, a in topics]  # fmt: skip
    run.ask(CreatePartitionsRequest, version, note, topics=rows, timeout_ms=30000, validate_only=only)


@case
def create_partitions(run: Run) -> None:
    for version in run.versions(CreatePartitionsRequest):
        topic, other = run.topic(2), run.topic()
        name = topic.name
        _more(run, version, "only validated", (name, 3, None), only=True)
        _more(run, version, "three", (name, 3, None))
        _more(run, version, "three again", (name, 3, None))
        _more(run, version, "fewer", (name, 1, None))
        _more(run, version, "assigned", (name, 5, [[1], [1]]))
        for count in (0, -1, -(2**31)):
            _more(run, version, f"to {count}", (name, count, None))
        _more(run, version, "too few assignments", (name, 7, [[1]]))
        _more(run, version, "too many assignments", (name, 6, [[1], [1]]))
        _more(run, version, "empty assignments", (name, 6, []))
        _more(run, version, "no brokers", (name, 6, [[]]))
        _more(run, version, "unknown broker", (name, 6, [[9]]))
        _more(run, version, "broker twice", (name, 6, [[1, 1]]))
        _more(run, version, "two replicas", (name, 6, [[1, 9]]))
        _more(run, version, "unknown topic", ("no.such.topic", 6, None))
        _more(run, version, "invalid name", ("a/b", 6, None))
        _more(run, version, "empty name", ("", 6, None))
        _more(run, version, "none")
        _more(run, version, "topic twice", (name, 8, None), (name, 8, None))
        _more(run, version, "good and bad", (other.name, 2, None), ("no.such.topic", 2, None))
        _show(run, name, other.name)


@case
def delete_records(run: Run) -> None:
    def ask(version: int, note: str, topic: Topic, offset: int, partition: int = 0) -> None:
        rows = [{"name": topic.name, "partitions": [{"partition_index": partition, "offset": offset}]}]
        run.ask(DeleteRecordsRequest, version, note, topics=rows, timeout_ms=10000)

    compacted = run.topic(cleanup_policy="compact")
    run.produce(compacted, batch(b"a", key=b"k"))
    for version in run.versions(DeleteRecordsRequest):
        topic = run.topic(2)
        run.produce(topic, batch(b"a", b"b", b"c"), batch(b"d", b"e"))
        for offset in (0, 1, 3, 2, 4, 5, 6, -1, -2, 2**63 - 1):
            ask(version, f"to {offset}", topic, offset)
        ask(version, "an empty partition to its end", topic, -1, 1)
        ask(version, "an empty partition to 1", topic, 1, 1)
        for index in (2, -1):
            ask(version, f"partition {index}", topic, 0, index)
        ask(version, "unknown topic", Topic("no.such.topic", b""), 0)
        ask(version, "empty name", Topic("", b""), 0)
        ask(version, "compacted topic", compacted, 1)
        for name in ("__consumer_offsets", "__cluster_metadata"):
            ask(version, name, Topic(name, b""), 0)
        rows = {"name": topic.name, "partitions": [{"partition_index": 0, "offset": 5}] * 2}
        run.ask(DeleteRecordsRequest, version, "twice", topics=[rows], timeout_ms=10000)
        again = run.topic()
        run.produce(again, batch(b"a", b"b", b"c"))
        for offsets in ((2, 1), (-1, 2), (9, 3), (3, 9)):
            parts = [{"partition_index": 0, "offset": offset} for offset in offsets]
            run.ask(DeleteRecordsRequest, version, f"twice, {offsets}", timeout_ms=10000,
                    topics=[{"name": again.name, "partitions": [one]} for one in parts])  # fmt: skip
        run.ask(DeleteRecordsRequest, version, "none", topics=[], timeout_ms=10000)
        run.ask(DeleteRecordsRequest, version, "no partitions", topics=[{"name": topic.name, "partitions": []}],
                timeout_ms=10000)  # fmt: skip
