"""`klamm start`, `format` and `version` as a person runs them: output, exit status, signals, files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.metadata.snapshot_file import decode_snapshot
from klamm.testing.wire import WireClient

KLAMM = [sys.executable, "-m", "klamm"]


def clean_environment(**more: str) -> dict[str, str]:
    return {**{k: v for k, v in os.environ.items() if not k.startswith("KAFKA_")}, **more}


def run(*arguments: str, timeout_s: float = 30, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KLAMM, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=clean_environment(**environment),
        check=False,
    )


@contextmanager
def started(directory: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], dict]]:
    ready = directory / "ready.json"
    process = subprocess.Popen(
        [*KLAMM, "start", "--port", "0", "--ready-file", str(ready), *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
        env=clean_environment(**environment),
    )
    try:
        while not ready.exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        yield process, json.loads(ready.read_text())
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()
        ready.unlink(missing_ok=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_tells_where_and_stops_cleanly(tmp_path: Path, number: int) -> None:
    with started(tmp_path, "--data-dir", "d") as (process, ready):
        row = {"id": 1, "pid": process.pid, "address": ready["bootstrap_servers"], "roles": ["broker", "controller"]}
        assert ready["nodes"] == [row]
        WireClient(ready["bootstrap_servers"]).close()
        process.send_signal(number)
        assert process.wait(20) == 0
        said = process.stderr.read()
    assert ready["bootstrap_servers"] in said
    assert "Traceback" not in said
    assert json.loads((tmp_path / "d/.kafka_cleanshutdown").read_text())["version"] == 0


def test_topics_outlive_a_kill(tmp_path: Path) -> None:
    cluster_id = None
    for round_ in range(3):
        with started(tmp_path, "--data-dir", "d") as (process, ready):
            topic = CreateTopicsRequest.CreatableTopic(
                name=f"t{round_}", num_partitions=2, replication_factor=1, assignments=[], configs=[]
            )
            with WireClient(ready["bootstrap_servers"]) as client:
                (result,) = client.ask(CreateTopicsRequest(topics=[topic]), 7, CreateTopicsResponse).topics
                assert result.error_code == 0
                if round_:
                    again = CreateTopicsRequest.CreatableTopic(
                        name="t0", num_partitions=1, replication_factor=1, assignments=[], configs=[]
                    )
                    (result,) = client.ask(CreateTopicsRequest(topics=[again]), 7, CreateTopicsResponse).topics
                    assert result.error_code == 36
            process.kill()
            process.wait()
        found = (tmp_path / "d/meta.properties").read_text()
        line = next(row for row in found.splitlines() if row.startswith("cluster.id="))
        assert cluster_id in (None, line)
        cluster_id = line


def test_a_directory_is_for_one_node(tmp_path: Path) -> None:
    with started(tmp_path, "--data-dir", "d"):
        second = run("start", "--port", "0", "--data-dir", str(tmp_path / "d"))
        assert second.returncode == 1
        assert "in use" in second.stderr
        assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--override", "num.partition=3"], ["num.partition", "did you mean num.partitions"]),
        (["--override", "num.partitions=many"], ["num.partitions", "'many'", "integer"]),
        (["--override", "num.partitions"], ["key=value"]),
        (["--config", "/no/such/file"], ["/no/such/file"]),
        (["--override", "listeners=NONSENSE"], ["listeners"]),
        (["--data-dir", "/proc/nothing"], ["/proc/nothing"]),
        (["--brokers", "0"], ["--brokers", "at least one"]),
        (["--brokers", "3", "--override", "node.id=4"], ["node.id", "lays out itself"]),
        (["--controllers", "3"], ["--brokers"]),
    ],
)
def test_what_is_wrong_is_told_by_name(arguments: list[str], words: list[str]) -> None:
    failed = run("start", *arguments)
    assert failed.returncode == 1
    assert all(word in failed.stderr for word in words), failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with started(tmp_path, "--data-dir", "one") as (_, ready):
        port = ready["bootstrap_servers"].rpartition(":")[2]
        failed = run("start", "--port", port, "--data-dir", str(tmp_path / "two"))
        assert failed.returncode == 1
        assert port in failed.stderr
        assert "Traceback" not in failed.stderr


def test_settings_come_from_file_environment_and_command_line(tmp_path: Path) -> None:
    (tmp_path / "server.properties").write_text("num.partitions=3\nlog.retention.hours=5\n")
    with started(
        tmp_path,
        "--memory",
        "--config",
        "server.properties",
        "--override",
        "log.retention.hours=7",
        KAFKA_NUM_PARTITIONS="4",
    ) as (_, ready):
        from klamm.kproto.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResponse

        asked = DescribeConfigsRequest.DescribeConfigsResource(
            resource_type=4, resource_name="1", configuration_keys=["num.partitions", "log.retention.hours"]
        )
        with WireClient(ready["bootstrap_servers"]) as client:
            response = client.ask(DescribeConfigsRequest(resources=[asked]), 4, DescribeConfigsResponse)
        found = {entry.name: (entry.value, entry.config_source) for entry in response.results[0].configs}
        assert found == {"num.partitions": ("4", 4), "log.retention.hours": ("7", 4)}
        assert not (tmp_path / "klamm-data").exists()


def test_the_log_as_json(tmp_path: Path) -> None:
    with started(tmp_path, "--memory", "--log-format", "json") as (process, _):
        process.terminate()
        process.wait(20)
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert {"time", "level", "logger", "message"} <= set(lines[0])


def test_format(tmp_path: Path) -> None:
    directory, cluster_id = str(tmp_path / "d"), "MkU3OEVBNTcwNTJENDM2Qg"
    formatted = run("format", "--data-dir", directory, "--cluster-id", cluster_id)
    assert formatted.returncode == 0, formatted.stderr
    assert f"cluster.id={cluster_id}" in (tmp_path / "d/meta.properties").read_text()
    again = run("format", "--data-dir", directory)
    assert again.returncode == 1
    assert cluster_id in again.stdout
    assert run("format", "--data-dir", directory, "--ignore-formatted").returncode == 0
    with started(tmp_path, "--data-dir", directory):
        pass
    for bad in (["--cluster-id", "x"], ["--feature", "metadata.version"], ["--feature", "nonsense.version=1"]):
        failed = run("format", "--data-dir", str(tmp_path / "other"), *bad)
        assert failed.returncode == 1
        assert "Traceback" not in failed.stderr


def test_format_at_an_older_release(tmp_path: Path) -> None:
    done = run("format", "--data-dir", str(tmp_path / "d"), "--release-version", "4.1", "--feature", "share.version=1")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "d/bootstrap.checkpoint"
    levels = {r.name: r.feature_level for r in decode_snapshot(file.read_bytes(), "b").records}  # type: ignore[attr-defined]
    assert levels == {
        "metadata.version": 27,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 1,
        "transaction.version": 2,
    }
    for bad, what in (
        (["--release-version", "3.9"], "metadata.version=21 is not within 22 to 30"),
        (["--release-version", "5.0"], "there is no metadata.version 5.0"),
        (["--release-version", "4.1", "--feature", "metadata.version=27"], "give one of them"),
    ):
        failed = run("format", "--data-dir", str(tmp_path / "e"), *bad)
        assert failed.returncode == 1
        assert what in failed.stderr and len(failed.stderr.splitlines()) == 1


def test_format_as_one_of_three_controllers(tmp_path: Path) -> None:
    ids = ("JEXY6aqzQY-32P5TStzaFg", "MvDxzVmcRsaTz33bUuRU6A", "07R5amHmR32VDA6jHkGbTA")
    voters = ",".join(f"{number}@127.0.0.1:909{number}:{ids[number - 1]}" for number in (1, 2, 3))
    arguments = ["format", "--data-dir", str(tmp_path / "d"), "--override", "node.id=2"]
    stranger = run(*arguments[:-1], "node.id=4", "--initial-controllers", voters)
    assert stranger.returncode == 1
    assert "node 4" in stranger.stderr
    done = run(*arguments, "--initial-controllers", voters)
    assert done.returncode == 0, done.stderr
    assert f"directory.id={ids[1]}" in (tmp_path / "d/meta.properties").read_text()
    assert (tmp_path / "d/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint").exists()
    for wrong in ("1@127.0.0.1:9091", f"{voters},{voters}", "one@h:1:" + ids[0]):
        failed = run("format", "--data-dir", str(tmp_path / "e"), "--initial-controllers", wrong)
        assert failed.returncode == 1
        assert len(failed.stderr.splitlines()) == 1, failed.stderr
    assert run("format", "--data-dir", str(tmp_path / "f"), "--no-initial-controllers").returncode == 0
    assert not list((tmp_path / "f/__cluster_metadata-0").glob("*.checkpoint"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cluster_of_one_process(tmp_path: Path, number: int) -> None:
    with started(tmp_path, "--data-dir", "d", "--brokers", "1") as (process, ready):
        (row,) = ready["nodes"]
        assert row["pid"] != process.pid
        assert row["address"] == ready["bootstrap_servers"]
        WireClient(ready["bootstrap_servers"]).close()
        process.send_signal(number)
        assert process.wait(20) == 0
        said = process.stderr.read().splitlines()
    assert said
    assert all(line.startswith("node-1 | ") for line in said)
    assert (tmp_path / "d/node-1/data/.kafka_cleanshutdown").exists()
    with started(tmp_path, "--data-dir", "d", "--brokers", "1"):
        pass
    single = run("start", "--port", "0", "--data-dir", str(tmp_path / "d"))
    assert single.returncode == 1
    assert "node-1" in single.stderr


def test_a_cluster_in_memory_leaves_no_file(tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    with started(tmp_path, "--memory", "--brokers", "1", **environment) as (process, ready):
        WireClient(ready["bootstrap_servers"]).close()
        process.terminate()
        assert process.wait(20) == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_version_and_help() -> None:
    assert run("version").stdout.startswith("klamm ")
    top = run("--help").stdout
    assert all(command in top for command in ("start", "format", "cluster", "kproto", "version"))
    assert "--ready-file" in run("start", "--help").stdout
    assert run("nonsense").returncode == 2
