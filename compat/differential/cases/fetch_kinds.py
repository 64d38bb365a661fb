"""Fetches of other kinds: by replicas, of codecs that an old version does not know, in sessions whose topics change."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Run, Topic, batch
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.kproto.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest

NAMES_END, IDS_BEGIN = 12, 13
"""The last version of Fetch that names topics, and the first one with their ids."""


def _ask(run: Run, version: int, note: str, topic: Topic | None, **more: Any) -> Any:
    """One partition, from its beginning; None: nothing but what the session holds."""
    row = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 20}
    row |= {name: more.pop(name) for name in ("current_leader_epoch", "fetch_offset") if name in more}
    wanted = [] if topic is None else [{"topic": topic.name, "topic_id": topic.topic_id, "partitions": [row]}]
    values = {"replica_id": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, **more}
    return run.ask(FetchRequest, version, note, topics=wanted, **values)


@case
def compressed(run: Run) -> None:
    """Versions from before zstd are refused a log that has it (KIP-110), and no other."""
    codecs = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
    topics = {name: run.topic() for name in codecs}
    for name, topic in topics.items():
        run.produce(topic, batch(b"plain"), batch(b"a" * 200, b"b" * 200, compression=codecs[name]))
    configured = run.topic(compression_type="zstd")
    run.produce(configured, batch(b"a" * 200))
    for version in run.versions(FetchRequest):
        for name, topic in topics.items():
            _ask(run, version, name, topic)
        _ask(run, version, "compression.type zstd", configured)


@case
def by_replicas(run: Run) -> None:
    """Followers that are none, the leader itself, and the ids that debuggers and copies of logs use."""
    topic = run.topic()
    run.produce(topic, batch(b"a", b"b"))
    for version in run.versions(FetchRequest):
        for replica in (-3, -2, -1, 1, 7, 2**31 - 1):
            for epoch in (-1, 0, 99) if version >= 15 else (-1,):
                who = {"replica_id": replica, "replica_state": {"replica_id": replica, "replica_epoch": epoch}}
                _ask(run, version, f"replica {replica}, epoch {epoch}", topic, **who)
                for leader_epoch in (0, 3) if version >= 9 else ():
                    note = f"replica {replica}, epoch {epoch}, leader epoch {leader_epoch}"
                    _ask(run, version, note, topic, current_leader_epoch=leader_epoch, **who)
                    _ask(run, version, f"{note}, beyond the end", topic, current_leader_epoch=leader_epoch,
                         fetch_offset=99, **who)  # fmt: skip
    for version in run.versions(ListOffsetsRequest):
        for replica in (-3, -2, 1, 7):
            for timestamp in (-2, -1, 0):
                rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "timestamp": timestamp}]}]
                run.ask(ListOffsetsRequest, version, f"replica {replica}, time {timestamp}", replica_id=replica,
                        topics=rows)  # fmt: skip
    for version in run.versions(OffsetForLeaderEpochRequest):
        for replica in (-3, -2, -1, 1, 7):
            row = {"partition": 0, "current_leader_epoch": 0, "leader_epoch": 0}
            run.ask(OffsetForLeaderEpochRequest, version, f"replica {replica}", replica_id=replica,
                    topics=[{"topic": topic.name, "partitions": [row]}])  # fmt: skip


@case
def sessions_of_names_and_ids(run: Run) -> None:
    """A session's topics are named one way or the other: a request of the other kind ends it."""
    topic = run.topic()
    run.produce(topic, batch(b"a"))
    for begun, then in ((NAMES_END, IDS_BEGIN), (IDS_BEGIN, NAMES_END)):
        made = _ask(run, begun, f"begun in version {begun}", topic, session_epoch=0)
        _ask(run, then, f"{begun}, then {then}", topic, session_id=made.session_id, session_epoch=1)
        _ask(run, begun, f"{begun}, again", None, session_id=made.session_id, session_epoch=1)
        _ask(run, then, f"{then}, with the session's epoch", None, session_id=made.session_id, session_epoch=2)


@case
def sessions_whose_topic_is_replaced(run: Run) -> None:
    """The topic goes, and another one of its name comes: sessions by name go on, those by id do not."""
    for version in run.versions(FetchRequest, low=7):
        topic = run.topic()
        run.produce(topic, batch(b"a"))
        made = _ask(run, version, "begun", topic, session_epoch=0)
        own = made.session_id
        run.quiet(DeleteTopicsRequest, 5, topic_names=[topic.name], timeout_ms=30000)
        run.settle()
        _ask(run, version, "deleted", None, session_id=own, session_epoch=1)
        wanted = {"name": topic.name, "num_partitions": 1, "replication_factor": 1, "assignments": [], "configs": []}
        run.quiet(CreateTopicsRequest, 7, topics=[wanted], timeout_ms=30000)
        run.wait_for(topic.name)
        _ask(run, version, "made anew", None, session_id=own, session_epoch=2)
        _ask(run, version, "made anew, asked for again", topic, session_id=own, session_epoch=3)
        _ask(run, version, "closed", None, session_id=own, session_epoch=-1)
