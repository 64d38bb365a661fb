"""Damaged files of a node: those that are not one partition's, so that each needs a start of its own.

Both brokers have a directory of their own with the same topic. A case restores it, damages one file, starts the broker
and tells what became of it: it refuses, or it serves, and then what a consumer reads.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from compat.damage.asking import TOPIC, Asking
from compat.targets import KafkaTarget, KlammTarget

PARTITIONS = 2
_RECORDS = 40
_METADATA = "__cluster_metadata-0"
Change = Callable[[Path], object]


class NodeCase(NamedTuple):
    """One damage of one file, after a clean stop or SIGKILL."""

    file: str
    damage: str
    is_clean: bool
    change: Change

    @property
    def name(self) -> str:
        return f"{self.file}, {self.damage}{'' if self.is_clean else ', after SIGKILL'}"


class NodeOutcome(NamedTuple):
    """`refusal` is empty for a broker that serves; `read` tells (latest offset, records read) of each partition."""

    refusal: str
    read: tuple[tuple[int, int], ...]


def _write(name: str, text: bytes) -> Change:
    return lambda data: (data / name).write_bytes(text)


def _delete(name: str) -> Change:
    return lambda data: (data / name).unlink(missing_ok=True)


def _edit(name: str, pattern: str, replacement: str) -> Change:
    def change(data: Path) -> None:
        path = data / name
        path.write_text(re.sub(pattern, replacement, path.read_text(), flags=re.MULTILINE))

    return change


def _metadata_log(alter: Callable[[bytes], bytes]) -> Change:
    def change(data: Path) -> None:
        path = sorted((data / _METADATA).glob("*.log"))[-1]
        path.write_bytes(alter(path.read_bytes().rstrip(b"\0")))

    return change


def _metadata_index(data: Path) -> None:
    for path in (data / _METADATA).glob("*.index"):
        path.write_bytes(random.Random(1).randbytes(64))


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


_GARBAGE = random.Random(7).randbytes(50)
_RECOVERY, _START, _HIGH = (f"{name}-offset-checkpoint" for name in ("recovery-point", "log-start", "replication"))
_ONE = f"{TOPIC}-0/partition.metadata"
_META = "meta.properties"


def _cases() -> Iterator[NodeCase]:
    yield NodeCase("none", "none", True, lambda data: None)
    yield NodeCase("none", "none", False, lambda data: None)
    for damage, change in (
        ("deleted", _delete(_META)),
        ("emptied", _write(_META, b"")),
        ("garbage", _write(_META, _GARBAGE)),
        ("another node.id", _edit(_META, "^node.id=.*", "node.id=77")),
        ("no node.id", _edit(_META, "^node.id=.*", "")),
        ("no cluster.id", _edit(_META, "^cluster.id=.*", "")),
        ("no directory.id", _edit(_META, "^directory.id=.*", "")),
        ("another version", _edit(_META, "^version=.*", "version=9")),
    ):
        yield NodeCase(_META, damage, True, change)
    for name in (_RECOVERY, _START, _HIGH):
        yield NodeCase(name, "emptied", False, _write(name, b""))
        yield NodeCase(name, "garbage", False, _write(name, _GARBAGE))
        yield NodeCase(name, "wrong count", True, _write(name, b"0\n9\nd 0 1\n"))
    yield NodeCase(_RECOVERY, "beyond the end", False, _write(_RECOVERY, b"0\n2\nd 0 5000000\nd 1 5000000\n"))
    yield NodeCase(_RECOVERY, "not a number", True, _write(_RECOVERY, b"0\n1\nd 0 x\n"))
    yield NodeCase(_START, "beyond the end", True, _write(_START, b"0\n1\nd 0 5000\n"))
    yield NodeCase(_HIGH, "not a number", True, _write(_HIGH, b"0\n1\nd zero 1\n"))
    yield NodeCase(".lock", "garbage", True, _write(".lock", _GARBAGE))
    yield NodeCase(".kafka_cleanshutdown", "emptied", True, _write(".kafka_cleanshutdown", b""))
    yield NodeCase(".kafka_cleanshutdown", "garbage", True, _write(".kafka_cleanshutdown", _GARBAGE))
    state = f"{_METADATA}/quorum-state"
    yield NodeCase("quorum-state", "deleted", True, _delete(state))
    yield NodeCase("quorum-state", "emptied", True, _write(state, b""))
    yield NodeCase("quorum-state", "garbage", True, _write(state, _GARBAGE))
    for damage, change in (
        ("deleted", _delete("bootstrap.checkpoint")),
        ("emptied", _write("bootstrap.checkpoint", b"")),
        ("garbage", _write("bootstrap.checkpoint", _GARBAGE)),
    ):
        yield NodeCase("bootstrap.checkpoint", damage, True, change)
    yield NodeCase("metadata log", "garbage appended", False, _metadata_log(lambda data: data + _GARBAGE))
    yield NodeCase("metadata log", "torn", False, _metadata_log(lambda data: data[:-5]))
    yield NodeCase("metadata log", "bit flipped near the end", False, _metadata_log(lambda d: _flip(d, len(d) - 9)))
    yield NodeCase("metadata log", "emptied", False, _metadata_log(lambda data: b""))
    yield NodeCase("metadata log", "index is garbage", True, _metadata_index)
    yield NodeCase("metadata log", "epochs emptied", True, _write(f"{_METADATA}/leader-epoch-checkpoint", b""))
    yield NodeCase("metadata log", "epochs are garbage", True, _write(f"{_METADATA}/leader-epoch-checkpoint", _GARBAGE))
    yield NodeCase("partition.metadata", "deleted", True, _delete(_ONE))
    yield NodeCase("partition.metadata", "emptied", True, _write(_ONE, b""))
    yield NodeCase("partition.metadata", "garbage", True, _write(_ONE, _GARBAGE))
    zero = b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"
    yield NodeCase("partition.metadata", "zero id", True, _write(_ONE, zero))
    other = b"version: 0\ntopic_id: 4dJUuMUISCWCJL8y8n6BUw"
    yield NodeCase("partition.metadata", "another topic", True, _write(_ONE, other))
    yield NodeCase("log directory", "a file in it", True, _write("notes.txt", _GARBAGE))
    yield NodeCase("log directory", "a directory in it", True, lambda data: (data / "notes").mkdir())


CASES: Sequence[NodeCase] = tuple(_cases())


class Node:
    """One broker with its prepared directories; `outcome` runs a case on it."""

    def __init__(self, target: KafkaTarget | KlammTarget) -> None:
        self.target = target
        self._places = {state: target.directory / f"clean-{state}" for state in (True, False)}

    def prepare(self) -> None:
        """Make the topic, and keep the directory as a clean stop and as SIGKILL leave it."""
        from confluent_kafka import Producer

        self.target.start()
        asking = Asking(self.target.bootstrap)
        asking.create_topic(PARTITIONS, {})
        asking.close()
        producer = Producer({"bootstrap.servers": self.target.bootstrap, "linger.ms": 5, "enable.idempotence": True})
        for number in range(_RECORDS):
            producer.produce(TOPIC, f"record {number}" * 20, partition=number % PARTITIONS)
            producer.flush(30)
        for is_clean in (False, True):
            self.target.stop() if is_clean else self.target.kill()
            shutil.copytree(self.target.data_dir, self._places[is_clean])
            if not is_clean:
                self.target.start()

    def outcome(self, case: NodeCase) -> NodeOutcome:
        data = self.target.data_dir
        shutil.rmtree(data)
        shutil.copytree(self._places[case.is_clean], data)
        case.change(data)
        try:
            self.target.start()
        except RuntimeError as error:
            return NodeOutcome(str(error).splitlines()[0], ())
        try:
            return self._ask()
        except (OSError, RuntimeError, IndexError) as error:
            return NodeOutcome(f"{type(error).__name__}: {error}", ())
        finally:
            self.target.kill()

    def _ask(self) -> NodeOutcome:
        asking = Asking(self.target.bootstrap)
        try:
            told = asking.ask(list(range(PARTITIONS)))
        finally:
            asking.close()
        return NodeOutcome("", tuple((row["latest"][1], len(row["records"]["batches"])) for row in told.values()))


def choose(seed: int, count: int | None) -> list[NodeCase]:
    """`count` of the cases by the seed; all if None."""
    if count is None:
        return list(CASES)
    return random.Random(f"node {seed}").sample(CASES, min(count, len(CASES)))


def run_cases(cases: Sequence[NodeCase], place: Path) -> dict[str, tuple[NodeOutcome, NodeOutcome]]:
    """(Kafka's, klamm's) outcome by the case's name."""
    nodes = [Node(KafkaTarget(directory=place / "kafka-node")), Node(KlammTarget(directory=place / "klamm-node"))]
    try:
        for node in nodes:
            node.prepare()
        return {case.name: (nodes[0].outcome(case), nodes[1].outcome(case)) for case in cases}
    finally:
        for node in nodes:
            node.target.kill()
