"""The loop on a cluster, short; and the proof that it can fail: broken promises are found, on one replica too."""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from compat.cluster import ClusterTarget
from compat.cluster_kill import loaded_cluster
from compat.cluster_kill.__main__ import cluster_of
from compat.cluster_kill.loaded_cluster import TOPIC, spread
from compat.cluster_kill.loop import KILL, PAUSE, ClusterKiller
from compat.cluster_kill.replicas import differences
from compat.cluster_kill.timed_ledger import TimedLedger
from compat.cluster_kill.wire import Partition, View
from compat.kill_loop.asking import wait_for
from klamm.kproto.record_codec import Record
from klamm.kproto.records import build_batch


def batch(offset: int, value: bytes, epoch: int = 0) -> bytes:
    return build_batch([Record(offset, 1, None, value)], partition_leader_epoch=epoch)


class _Files:
    """The directories of three brokers, which never ran."""

    def __init__(self, directory: Path) -> None:
        self.brokers = [_Broker(number, directory / str(number)) for number in (1, 2, 3)]


class _Broker:
    def __init__(self, node_id: int, directory: Path) -> None:
        self.node_id = node_id
        self.log_dirs = [directory]
        self.partition = directory / "t-0"
        self.partition.mkdir(parents=True)

    def write(self, *batches: bytes) -> None:
        (self.partition / "00000000000000000000.log").write_bytes(b"".join(batches))


@pytest.fixture
def files(tmp_path: Path) -> _Files:
    made = _Files(tmp_path)
    for broker in made.brokers:
        broker.write(batch(0, b"a"), batch(1, b"b"), batch(2, b"c", 1))
    return made


def found(files: _Files) -> list[str]:
    return differences(cast(ClusterTarget, files), "t")


def test_replicas_that_are_alike(files: _Files) -> None:
    assert found(files) == []
    # The same batches, rolled elsewhere.
    files.brokers[0].write(batch(0, b"a"))
    (files.brokers[0].partition / "00000000000000000001.log").write_bytes(batch(1, b"b") + batch(2, b"c", 1))
    assert found(files) == []


@pytest.mark.parametrize(
    "log",
    [
        [batch(0, b"a"), batch(1, b"b")],
        [batch(0, b"a"), batch(1, b"X"), batch(2, b"c", 1)],
        [batch(0, b"a"), batch(1, b"b"), batch(2, b"c", 0)],
        [batch(0, b"a"), batch(1, b"b"), batch(2, b"c", 1)[:-1] + b"?"],
    ],
    ids=["short", "other value", "other epoch", "damaged"],
)
def test_a_replica_that_differs_is_found(files: _Files, log: list[bytes]) -> None:
    files.brokers[2].write(*log)
    (only,) = found(files) or [""]
    assert only.startswith("t-0")
    assert "node 3" in only


def test_how_long_producers_could_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    ledger = TimedLedger(2)
    assert [ledger.send("p") for _ in range(3)] == [0, 1, 2]
    ledger.mark()
    now[0] = 101.0
    ledger.acknowledge("p", 2, 0, 0)  # sent before the mark
    assert ledger.went_on_ms() == {"p": None}
    assert [ledger.send("p") for _ in range(2)] == [3, 4]
    ledger.acknowledge("p", 3, 0, 1)
    assert ledger.went_on_ms() == {"p": None}
    now[0] = 102.5
    ledger.acknowledge("p", 4, 1, 0)
    now[0] = 109.0
    assert ledger.went_on_ms() == {"p": 2500}


def test_a_cluster_is_whole_only_with_all_nodes_leaders_and_replicas() -> None:
    addresses = {1: "a", 2: "b"}
    assert View(addresses, [Partition("t", 0, 1, (1, 2), (2, 1))]).is_whole([1, 2])
    assert not View(addresses, [Partition("t", 0, 1, (1, 2), (1,))]).is_whole([1, 2])
    assert not View(addresses, [Partition("t", 0, -1, (1, 2), (1, 2))]).is_whole([1, 2])
    assert not View(addresses, []).is_whole([1, 2, 3])


def test_distributions() -> None:
    assert spread([5, 1, 4, 2, 3]) == {"count": 5, "min": 1, "p50": 3, "p90": 5, "max": 5}


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterTarget]:
    with cluster_of(request.config.getoption("--target")) as made:
        yield made


def test_three_faults(cluster: ClusterTarget) -> None:
    killer = ClusterKiller(cluster, seed=3, rate=1000)
    killer.run(3)
    assert killer.ledger.violations == []
    assert {done.fault for done in killer.rounds} == {KILL, PAUSE}
    totals = killer.totals()
    assert totals["acknowledged"] == totals["sent"] > 1500
    assert totals["times"]["writable after SIGKILL"]["count"] + totals["times"]["writable after SIGSTOP"]["count"] == 3


def test_what_all_replicas_have_forgotten_is_found(cluster: ClusterTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """All nodes die with the node that is killed, and all come back without the newer half of one partition."""
    monkeypatch.setattr(loaded_cluster, "wait_for", partial(wait_for, timeout_s=20))
    killer = ClusterKiller(cluster, seed=1, rate=1000, faults=(KILL,))
    forgetful: Any = cluster.nodes

    def kill_all() -> None:
        for node in cluster.nodes.values():
            type(node).kill(node)
            path = node.log_dirs[0] / f"{TOPIC}-0" / "00000000000000000000.log"
            data = path.read_bytes()
            path.write_bytes(data[: len(data) // 2])

    for node in forgetful.values():
        node.kill = kill_all
        node.start = cluster.start
    try:
        killer.run(1)
    except TimeoutError:
        pass  # producers may wait for ever for records that the cluster has forgotten
    finally:
        for node in forgetful.values():
            del node.kill, node.start
        atexit.unregister(kill_all)
    assert killer.ledger.violations
