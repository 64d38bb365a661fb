"""Fetch: offsets, limits, isolation, epochs, and sessions."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Run, Topic, batch
from klamm.kproto import batch_json
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse

UNKNOWN = Topic("no.such.topic", b"\x11" * 16)


def _want(topic: Topic, *partitions: dict[str, Any]) -> dict[str, Any]:
    rows = [{"partition": 0, "fetch_offset": 0, "partition_max_bytes": 1 << 20, **p} for p in partitions]
    return {"topic": topic.name, "topic_id": topic.topic_id, "partitions": rows}


def _ask(run: Run, version: int, note: str, *topics: dict[str, Any], **more: Any) -> Any:
    values: dict[str, Any] = {"replica_id": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, **more}
    return run.ask(FetchRequest, version, note, topics=topics, **values)


def _filled(run: Run, partitions: int = 2, **configs: str) -> Topic:
    topic = run.topic(partitions, **configs)
    run.produce(topic, batch(b"a", b"b", b"c"), batch(b"d"), batch(b"e", b"f", compression=1))
    return topic


@case
def offsets(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(FetchRequest):
        for offset in (*range(-2, 8), 2**63 - 1, -(2**63)):
            _ask(run, version, f"from {offset}", _want(topic, {"fetch_offset": offset}))
        _ask(run, version, "an empty partition", _want(topic, {"partition": 1}))


@case
def limits(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(FetchRequest):
        for most in (-1, 0, 1, 60, 100, 150, 160, 250):
            for partition_most in (-1, 0, 1, 100, 150, 1000):
                want = _want(topic, {"partition_max_bytes": partition_most}, {"partition": 1})
                _ask(run, version, f"max bytes {most} and {partition_most}", want, max_bytes=most)
        for least in (-1, 1, 100, 1 << 20):
            _ask(run, version, f"min bytes {least}", _want(topic, {}), min_bytes=least, max_wait_ms=1)
        _ask(run, version, "negative wait", _want(topic, {"fetch_offset": 6}), min_bytes=1, max_wait_ms=-1)


@case
def two_partitions_share_the_limit(run: Run) -> None:
    topic = run.topic(2)
    for index in (0, 1):
        run.produce(topic, batch(b"a" * 100), batch(b"b" * 100), partition=index)
    for version in run.versions(FetchRequest):
        for most in (1, 200, 400, 600):
            _ask(run, version, f"max bytes {most}", _want(topic, {}, {"partition": 1}), max_bytes=most)


@case
def wrong_places(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(FetchRequest):
        _ask(run, version, "nothing")
        _ask(run, version, "no partitions", _want(topic))
        _ask(run, version, "unknown topic", _want(UNKNOWN, {}))
        _ask(run, version, "zero id, empty name", _want(Topic("", bytes(16)), {}))
        _ask(run, version, "invalid name", _want(Topic("a/b", b"\x12" * 16), {}))
        for index in (2, -1, 2**31 - 1):
            _ask(run, version, f"partition {index}", _want(topic, {"partition": index}))
        _ask(run, version, "unknown and known", _want(UNKNOWN, {}), _want(topic, {}))
        _ask(run, version, "a partition twice", _want(topic, {}, {"fetch_offset": 3}))
        _ask(run, version, "a topic twice", _want(topic, {}), _want(topic, {"partition": 1}))
        for isolation in (1, 2, -1):
            _ask(run, version, f"isolation level {isolation}", _want(topic, {}), isolation_level=isolation)
        _ask(run, version, "another cluster", _want(topic, {}), cluster_id="another")
        _ask(run, version, "a rack", _want(topic, {}), rack_id="r1")


@case
def zero_id(run: Run) -> None:
    for version in run.versions(FetchRequest, low=13):
        _ask(run, version, "before an unknown id", _want(Topic("", bytes(16)), {}), _want(UNKNOWN, {}))


@case
def epochs(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(FetchRequest):
        for current in (-2, -1, 0, 1, 7):
            for offset in (0, 99):
                want = _want(topic, {"current_leader_epoch": current, "fetch_offset": offset})
                _ask(run, version, f"current leader epoch {current} at {offset}", want)
        for last in (-2, -1, 0, 1):
            for offset in (3, 6, 9):
                want = _want(topic, {"last_fetched_epoch": last, "fetch_offset": offset})
                _ask(run, version, f"last fetched epoch {last} at {offset}", want)


@case
def after_delete_records(run: Run) -> None:
    topic = _filled(run)
    rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "offset": 2}]}]
    run.quiet(DeleteRecordsRequest, 2, topics=rows, timeout_ms=10000)
    for version in run.versions(FetchRequest):
        for offset in range(5):
            _ask(run, version, f"from {offset}", _want(topic, {"fetch_offset": offset}))


@case
def sessions(run: Run) -> None:
    topic = _filled(run, 3)
    for version in run.versions(FetchRequest, low=7):

        def ask(note: str, *wants: dict[str, Any], session: int, epoch: int, forget: list[int] | None = None,
                version: int = version) -> Any:  # fmt: skip
            gone = {"topic": topic.name, "topic_id": topic.topic_id, "partitions": forget or []}
            forgotten = [gone] if forget is not None else []
            return _ask(run, version, note, *wants, session_id=session, session_epoch=epoch,
                        forgotten_topics_data=forgotten)  # fmt: skip

        ask("sessionless", _want(topic, {}), session=0, epoch=-1)
        made = ask("a new session", _want(topic, {}, {"partition": 1}), session=0, epoch=0)
        own = made.session_id
        ask("nothing new to ask", session=own, epoch=1)
        ask("offset moved", _want(topic, {"fetch_offset": 6}), session=own, epoch=2)
        ask("at the end", session=own, epoch=3)
        ask(
            "another partition, unknown topic", _want(topic, {"partition": 2}), _want(UNKNOWN, {}), session=own, epoch=4
        )
        ask("again", session=own, epoch=5)
        ask("forget", session=own, epoch=6, forget=[0, 2, 9])
        ask("wrong epoch", session=own, epoch=9)
        ask("right epoch after a wrong one", session=own, epoch=7)
        ask("close", session=own, epoch=-1)
        ask("after the close", session=own, epoch=8)
        ask("unknown session", session=12345, epoch=1)
        ask("session id without epoch", _want(topic, {}), session=12345, epoch=0)
        ask("no session, epoch 1", _want(topic, {}), session=0, epoch=1)
        made = ask("an empty new session", session=0, epoch=0)
        made = ask("only errors", _want(UNKNOWN, {}), session=0, epoch=0)
        own = made.session_id
        if own:
            ask("errors again", session=own, epoch=1)


@case
def session_sees_appends(run: Run) -> None:
    topic = run.topic(2)
    for version in run.versions(FetchRequest, low=7):
        start = run.produce(topic, batch(b"x"))
        made = _ask(run, version, "new", _want(topic, {"fetch_offset": start + 1}, {"partition": 1}), session_epoch=0)
        own = made.session_id
        _ask(run, version, "nothing new", session_id=own, session_epoch=1)
        run.produce(topic, batch(b"y"))
        _ask(run, version, "an append", session_id=own, session_epoch=2)
        _ask(run, version, "not yet taken", session_id=own, session_epoch=3)
        _ask(run, version, "end", session_id=own, session_epoch=-1)


@case
def waits_for_records(run: Run) -> None:
    topic = run.topic()
    waiting = run.peer("waiting")
    for version in run.versions(FetchRequest):
        end = run.produce(topic, batch(b"x")) + 1
        sent = waiting.send(FetchRequest, version, replica_id=-1, max_wait_ms=5000, min_bytes=1, max_bytes=1 << 20,
                            topics=[_want(topic, {"fetch_offset": end})])  # fmt: skip
        run.produce(topic, batch(b"y"))
        answer = waiting.wire().receive(FetchResponse, version, sent)
        # Which high watermark the answer tells depends on when the broker looks.
        rows = batch_json.describe(bytes(answer.responses[0].partitions[0].records or b""))["records"]
        run.record("Fetch", version, "woken by an append", [row["offset"] for row in rows])


@case
def transactional_batches(run: Run) -> None:
    topic = _filled(run)
    for version in run.versions(FetchRequest):
        _ask(run, version, "read committed, no transactions", _want(topic, {}), isolation_level=1)
