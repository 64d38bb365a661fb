"""The partition directories that are damaged: written by real Kafka, kept in the cache.

Three logs (rich in codecs, producers and transactions; cut at the front by DeleteRecords and retention; compacted),
each as a clean stop leaves it and as SIGKILL does.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from compat import kafka_jars
from compat.targets import KafkaTarget

INDEX_INTERVAL_BYTES = 400
LOGS = ("rich", "trimmed", "compacted")
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SETTINGS = {
    "internal.segment.bytes": "6000",
    "index.interval.bytes": str(INDEX_INTERVAL_BYTES),
    "retention.ms": "-1",
    "message.timestamp.after.max.ms": str((1 << 63) - 1),
    "file.delete.delay.ms": "100",
}
COMPACTION = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "600000"}
_TIMESTAMP = 4_000_000_000_000
"""In the future, so that no producer is too old to be kept; only markers have the time of the broker's clock."""
_AGE_MAX_S = 14 * 86_400
"""By default Kafka's classes forget producers after at most 24 days, which the JVM's int allows here."""
_PHASES = 3
_TIMEOUT_S = 60.0


class Template(NamedTuple):
    """One partition directory. `log_start` is that of the checkpoint, 0 if it has none."""

    name: str
    directory: Path
    is_clean: bool
    log_start: int


def templates() -> list[Template]:
    """All six; made when they are first asked for."""
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    place = kafka_jars.cache_dir() / f"damage-{digest}"
    with kafka_jars.cache_lock("damage"):
        if place.exists() and time.time() - place.stat().st_mtime > _AGE_MAX_S:
            shutil.rmtree(place)
        if not place.exists():
            beside = Path(tempfile.mkdtemp(prefix="damage-", dir=place.parent))
            try:
                _make(beside)
                beside.rename(place)
            except BaseException:
                shutil.rmtree(beside, ignore_errors=True)
                raise
    rows = json.loads((place / "templates.json").read_text())
    return [
        Template(f"{name}-{state}", place / f"{name}-{state}", state == "clean", rows[name])
        for name in LOGS
        for state in ("clean", "killed")
    ]


def _make(place: Path) -> None:
    kafka = KafkaTarget(
        {
            "log.retention.check.interval.ms": "500",
            "log.initial.task.delay.ms": "500",
            "log.cleaner.backoff.ms": "300",
            "transaction.max.timeout.ms": "900000",
        }
    )
    try:
        kafka.start()
        _create(kafka)
        for phase in range(_PHASES):
            _write(kafka, phase)
            if phase == 1:
                _delete_records(kafka)
            if phase < _PHASES - 1:
                kafka.restart()
        _await("compaction", lambda: _is_compacted(kafka.data_dir / "compacted-0"))
        kafka.kill()
        _copy(kafka, place, "killed")
        kafka.start()
        kafka.stop()
        _copy(kafka, place, "clean")
        starts = _checkpoint(kafka.data_dir / "log-start-offset-checkpoint")
        (place / "templates.json").write_text(json.dumps({name: starts.get((name, 0), 0) for name in LOGS}))
    finally:
        kafka.remove()


def _create(kafka: KafkaTarget) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    topics = [NewTopic(name, 1, 1, config={**SETTINGS, **(COMPACTION if name == "compacted" else {})}) for name in LOGS]
    for future in admin.create_topics(topics).values():
        future.result(_TIMEOUT_S)


def _write(kafka: KafkaTarget, phase: int) -> None:
    from confluent_kafka import Producer

    count = 0

    def send(producer: Any, topic: str, records: int) -> None:
        nonlocal count
        for _ in range(records):
            count += 1
            # Mostly rising, now and then an old one.
            at = _TIMESTAMP + phase * 100_000 + count * 20 - (3000 if count % 37 == 0 else 0)
            value = None if topic == "compacted" and count % 11 == 0 else (f"{topic}{phase}{count} " * (count % 9 + 1))
            producer.produce(topic, value, key=f"k{count % 17}", timestamp=at, headers={"n": str(count)})
        producer.flush(_TIMEOUT_S)

    def producer(**settings: Any) -> Any:
        return Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 20, **settings})

    plain = producer(acks=1)
    for codec in CODECS:
        idempotent = producer(**{"enable.idempotence": True, "compression.type": codec})
        for topic in LOGS:
            for size in (5, 1, 12, 3):
                send(idempotent, topic, size)
            send(plain, topic, 3)
    pairs = [producer(**{"transactional.id": f"{name}{phase}", "transaction.timeout.ms": 900000}) for name in "ab"]
    for one in pairs:
        one.init_transactions(_TIMEOUT_S)
    for number in range(3):
        for one in pairs:
            one.begin_transaction()
        for size in (2, 4):
            for one in pairs:
                for topic in LOGS:
                    send(one, topic, size)
        send(plain, "rich", 2)
        for one, commit in zip(pairs, (number != 1, number == 1), strict=True):
            one.commit_transaction(_TIMEOUT_S) if commit else one.abort_transaction(_TIMEOUT_S)
    for topic in LOGS:
        send(plain, topic, 4)
    if phase == _PHASES - 1:
        pairs[0].begin_transaction()
        for topic in LOGS:
            send(pairs[0], topic, 3)
            send(plain, topic, 2)


def _delete_records(kafka: KafkaTarget) -> None:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    directory = kafka.data_dir / "trimmed-0"
    bases = sorted(int(path.stem) for path in directory.glob("*.log"))
    wanted = [TopicPartition("trimmed", 0, bases[2] + 7)]
    for future in admin.delete_records(wanted).values():
        future.result(_TIMEOUT_S)
    first = directory / f"{bases[0]:020d}.log"
    _await("retention", lambda: not first.exists() and not list(directory.glob("*.deleted")))


def _is_compacted(directory: Path) -> bool:
    """Whether a cleaned segment is much smaller than those that are written."""
    sizes = [path.stat().st_size for path in sorted(directory.glob("*.log"))]
    return len(sizes) > 1 and sum(sizes[:-1]) < 12000 and not list(directory.glob("*.deleted"))


def _copy(kafka: KafkaTarget, place: Path, state: str) -> None:
    for name in LOGS:
        shutil.copytree(kafka.data_dir / f"{name}-0", place / f"{name}-{state}")
        for path in (place / f"{name}-{state}").iterdir():
            _make_sparse(path)


def _make_sparse(path: Path) -> None:
    """Preallocated indexes are mostly holes; a copy is to be, too."""
    data = path.read_bytes()
    used = data.rstrip(b"\0")
    with open(path, "r+b") as file:
        file.truncate(len(used))
        file.truncate(len(data))


def _checkpoint(path: Path) -> dict[tuple[str, int], int]:
    rows = [line.split() for line in path.read_text().splitlines()[2:]]
    return {(topic, int(partition)): int(offset) for topic, partition, offset in rows}


def _await(what: str, is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"real Kafka has done no {what} within {_TIMEOUT_S:.0f} s")
        time.sleep(0.2)
