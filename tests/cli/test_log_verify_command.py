"""`klamm log verify` and `dump` beside a broker that writes, and what they print."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from klamm.cli.main import main
from tests.log.data_directory import flip, make_data_directory


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "data"
    make_data_directory(path)
    return path


def test_lines_and_exit_status(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", str(sound)]) == 0
    assert capsys.readouterr().out.startswith("2 partitions, ")
    data = tmp_path / "data"
    shutil.copytree(sound, data)
    path = sorted((data / "t-0").glob("*.log"))[1]
    flip(path, 100)
    assert main(["log", "verify", str(data)]) == 1
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"ERROR: {path} at byte ") and first.endswith("[corrupt_batch]")
    assert second.startswith("    at the next start: ")
    assert "1 error" in last
    assert main(["log", "verify", str(data / "t-0")]) == 1
    assert main(["log", "verify", str(tmp_path / "missing")]) == 2
    capsys.readouterr()
    (data / ".kafka_cleanshutdown").unlink()
    assert main(["log", "verify", "--json", "--quiet", str(data)]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["fact"] for row in rows} == {"finding", "summary"}
    assert all(row["severity"] != "info" for row in rows[:-1])
    assert (rows[-1]["partitions"], rows[-1]["error"]) == (2, 1)


@pytest.mark.parametrize("arguments", [[], ["dump"], ["verify"], ["repair"]], ids=str)
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["log", *arguments, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "usage: klamm log" in out and (not arguments or "exit status" in out)


def test_no_progress_where_nobody_watches(sound: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "klamm", "log", "verify", str(sound)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def start(directory: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    ready = directory / "ready.json"
    broker = subprocess.Popen(
        [sys.executable, "-m", "klamm", "start", "--port", "0", "--data-dir", str(directory / "data"),
         "--ready-file", str(ready), "--override", "log.segment.bytes=1048576"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not ready.exists():
        assert broker.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return broker, json.loads(ready.read_text())


def test_beside_a_running_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing looks damaged while it is written, nothing is locked or changed, and the broker goes on."""
    broker, told = start(tmp_path)
    data, stop, sent = tmp_path / "data", threading.Event(), []

    def produce() -> None:
        producer = KafkaProducer(bootstrap_servers=told["bootstrap_servers"], linger_ms=1)
        while not stop.is_set():
            for _ in range(200):
                producer.send("busy", b"v" * 300)
            producer.flush()
            sent.append(200)
        producer.close()

    writing = threading.Thread(target=produce)
    try:
        writing.start()
        while len(sent) < 3:
            assert writing.is_alive()
            time.sleep(0.01)
        for _ in range(6):
            before = len(sent)
            assert main(["log", "verify", "--json", "--deep", str(data)]) == 0, capsys.readouterr().out[-2000:]
            assert main(["log", "dump", "--json", str(data)]) == 0, capsys.readouterr().out[-2000:]
            assert '"code": "in_use"' in capsys.readouterr().out
            assert main(["log", "repair", str(data)]) == 2
            while len(sent) == before:
                assert writing.is_alive()
                time.sleep(0.01)
    finally:
        stop.set()
        writing.join(20)
        os.kill(broker.pid, signal.SIGTERM)
        assert broker.wait(20) == 0
    assert main(["log", "verify", "--deep", str(data)]) == 0
