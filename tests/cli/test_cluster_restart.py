"""`klamm cluster restart`: nodes of a running cluster go and come back, and its clients see a retry at most."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from klamm.cli.cluster_directories import is_in_use, take
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.metadata.storage_format import StorageError
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
        while not self._stop.wait(0.005):
            sent.append(self._producer.send("t", b"%d" % self.count).add_errback(self.refused.append))
            self.count += 1
        self._producer.flush(60)


def test_clients_do_not_notice(tmp_path: Path) -> None:
    with started(tmp_path, "--data-dir", "d", "--brokers", "3") as (process, ready):
        bootstrap = ready["bootstrap_servers"]
        with WireClient(bootstrap.split(",")[0]) as client:
            wanted = CreateTopicsRequest.CreatableTopic(name="t", num_partitions=3, replication_factor=3)
            client.ask(CreateTopicsRequest(topics=[wanted], timeout_ms=10_000), 7, CreateTopicsResponse)
        with Load(bootstrap) as load:
            done = run("cluster", "restart", "--data-dir", str(tmp_path / "d"))
        assert done.returncode == 0, done.stderr
        *restarted, last = done.stdout.splitlines()
        assert sorted(line.split(",")[0] for line in restarted) == [f"restarting node {n}" for n in (1, 2, 3)]
        assert last == "all 3 nodes have been restarted"
        assert load.refused == []
        consumer = KafkaConsumer("t", bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id="g")
        found = {int(next(consumer).value) for _ in range(load.count)}
        assert found == set(range(load.count))
        consumer.commit()
        consumer.close()
        process.terminate()
        assert process.wait(30) == 0
        said = process.stderr.read().splitlines()
    assert sum("was away for" in line for line in said) == 3
    again = run("cluster", "restart", "--data-dir", str(tmp_path / "d"))
    assert (again.returncode, again.stderr) == (2, f"klamm: no cluster runs in {tmp_path / 'd'}\n")


def test_one_command_runs_a_cluster(tmp_path: Path) -> None:
    lock = take(str(tmp_path / "d"))
    assert (tmp_path / "d").is_dir()
    with pytest.raises(StorageError, match="runs already"):
        take(str(tmp_path / "d"))
    second = run("start", "--brokers", "1", "--port", "0", "--data-dir", str(tmp_path / "d"))
    assert (second.returncode, "runs already" in second.stderr) == (1, True)
    lock.release()
    assert not is_in_use(str(tmp_path / "d"))
    assert not is_in_use(str(tmp_path / "elsewhere"))
