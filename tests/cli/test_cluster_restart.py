"""`klamm cluster restart`: nodes of a running cluster go and come back, and its clients see a retry at most."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from klamm.cli.cluster_directories import is_in_use, taken
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.testing.wire import WireClient
from tests.cli.test_start_command import run, started


class Load:
    """A producer with acks=all that sends while somebody else does something."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", retries=1000, retry_backoff_ms=20)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.refused: list[BaseException] = []
        self.count = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.close()

    def _send(self) -> None:
        sent = []
        while not self._stop.wait(0.02):
            sent.append(self._producer.send("t", b"%d" % self.count).add_errback(self.refused.append))
            self.count += 1
        self._producer.flush(60)


@pytest.mark.parametrize(("brokers", "controllers"), [(3, 0), (2, 1)])
def test_clients_do_not_notice(tmp_path: Path, brokers: int, controllers: int) -> None:
    counts = ["--brokers", str(brokers), "--controllers", str(controllers)]
    with started(tmp_path, "--data-dir", "d", *counts) as (process, ready):
        bootstrap = ready["bootstrap_servers"]
        with WireClient(bootstrap.split(",")[0]) as client:
            wanted = CreateTopicsRequest.CreatableTopic(name="t", num_partitions=3, replication_factor=brokers)
            client.ask(CreateTopicsRequest(topics=[wanted], timeout_ms=10_000), 7, CreateTopicsResponse)
        with Load(bootstrap) as load:
            done = run("cluster", "restart", "--data-dir", str(tmp_path / "d"), timeout_s=100)
        assert done.returncode == 0, done.stderr
        *restarted, last = done.stdout.splitlines()
        nodes = sorted(row["id"] for row in ready["nodes"])
        assert sorted(line.split(",")[0] for line in restarted) == sorted(f"restarting node {n}" for n in nodes)
        assert last == f"all {len(nodes)} nodes have been restarted"
        assert load.refused == []
        consumer = KafkaConsumer("t", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        assert {int(next(consumer).value) for _ in range(load.count)} == set(range(load.count))
        consumer.close()
        process.terminate()
        assert process.wait(30) == 0
        said = process.stderr.read().splitlines()
    assert sum("was away for" in line for line in said) == len(nodes)
    again = run("cluster", "restart", "--data-dir", str(tmp_path / "d"))
    assert (again.returncode, again.stderr) == (2, f"klamm: no cluster runs in {tmp_path / 'd'}\n")


def test_one_command_runs_a_cluster(tmp_path: Path) -> None:
    with taken(str(tmp_path / "d")):
        second = run("start", "--brokers", "1", "--port", "0", "--data-dir", str(tmp_path / "d"))
        assert (second.returncode, "runs already" in second.stderr) == (1, True)
        assert [path.name for path in (tmp_path / "d").iterdir()] == [".lock"]
    assert not is_in_use(str(tmp_path / "d"))
    assert not is_in_use(str(tmp_path / "elsewhere"))
