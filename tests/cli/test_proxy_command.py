"""`klamm proxy` as a process: it listens, shows, records, lets go on a signal, and says a trace again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from klamm.cli.main import main
from klamm.kproto.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

START_TIMEOUT_S = 30.0
REQUEST = ListGroupsRequest(states_filter=[], types_filter=[])


class ProxyProcess:
    """A running `klamm proxy`."""

    def __init__(self, directory: Path, to: str, *arguments: str) -> None:
        ready = directory / "ready.json"
        command = [sys.executable, "-m", "klamm", "proxy", "--listen", "127.0.0.1:0", "--to", to, *arguments]
        self.process = subprocess.Popen(
            [*command, "--ready-file", str(ready)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.address = json.loads(ready.read_text())["bootstrap_servers"]

    def stop(self) -> tuple[str, str]:
        """Its standard output and error."""
        self.process.send_signal(signal.SIGTERM)
        told = self.process.communicate(timeout=START_TIMEOUT_S)
        assert self.process.returncode == 0, told
        return told


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


def ask(address: str) -> ListGroupsResponse:
    with WireClient(address) as client:
        return client.ask(REQUEST, 5, ListGroupsResponse)


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["proxy", *arguments])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_recorded_shown_and_said_again(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "a.trace"
    proxy = ProxyProcess(tmp_path, cluster.bootstrap_servers, "--record", str(trace), "--json")
    assert ask(proxy.address).error_code == 0
    out, _ = proxy.stop()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["event"] for row in rows] == ["listening", "open", "request", "answer", "close"]
    assert rows[3]["api"] == "ListGroups"
    assert rows[3]["errors"] == []

    status, out, _ = run("show", str(trace), capsys=capsys)
    assert (status, out.count("ListGroups v5 id 1")) == (0, 2)
    status, out, _ = run("show", str(trace), "--show", "full", "--json", capsys=capsys)
    assert "groups" in json.loads(out.splitlines()[2])["json"]

    status, out, _ = run("replay", str(trace), "--to", cluster.bootstrap_servers, capsys=capsys)
    assert (status, out.splitlines()[-1].split(";")[0]) == (0, "1 answers: 1 equal, 0 different")


def test_a_replay_that_finds_a_difference(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "a.trace"
    proxy = ProxyProcess(tmp_path, cluster.bootstrap_servers, "--record", str(trace), "--show", "none")
    ask(proxy.address)
    proxy.stop()
    (tmp_path / "ready.json").unlink()
    fault = "api=ListGroups,do=error,error=GROUP_AUTHORIZATION_FAILED,nth=2+"
    wrong = ProxyProcess(tmp_path, cluster.bootstrap_servers, "--show", "none", "--fault", fault)
    ask(wrong.address)
    status, out, _ = run("replay", str(trace), "--to", wrong.address, capsys=capsys)
    assert (status, out.splitlines()[0]) == (1, "#1 id 1 ListGroups v5 .errorCode: recorded 0, now 30")
    status, out, _ = run("replay", str(trace), "--to", wrong.address, "--json", capsys=capsys)
    found, figures = map(json.loads, out.splitlines())
    assert (found["path"], found["recorded"], found["now"]) == (".errorCode", 0, 30)
    assert (status, figures["equal"], figures["different"]) == (1, 0, 1)
    _, err = wrong.stop()
    assert "2 of 3 that fitted" in err


def test_a_signal_lets_go_what_is_held(cluster: Cluster, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\napi = "ListGroups"\ndo = "hold"\n')
    proxy = ProxyProcess(tmp_path, cluster.bootstrap_servers, "--rules", str(rules), "--show", "none")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, proxy.address)
        with pytest.raises(TimeoutError):
            answer.result(0.3)
        proxy.process.send_signal(signal.SIGUSR1)
        assert answer.result(START_TIMEOUT_S).error_code == 0
    proxy.stop()


def test_a_reader_that_has_gone_does_not_stop_the_traffic(cluster: Cluster, tmp_path: Path) -> None:
    proxy = ProxyProcess(tmp_path, cluster.bootstrap_servers, "--record", "/dev/full")
    assert proxy.process.stdout is not None
    proxy.process.stdout.close()
    for _ in range(50):
        assert ask(proxy.address).error_code == 0
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.stderr is not None
    told = proxy.process.stderr.read()
    proxy.process.stderr.close()
    proxy.process.wait(START_TIMEOUT_S)
    assert "nothing more is shown" in told
    assert "nothing more is recorded" in told


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--listen and --to are needed"),
        (["--listen", "x", "--to", "b:1"], "not of the form HOST:PORT"),
        (["--listen", ":0", "--to", "b:1", "--fault", "do=explode"], "do is one of"),
        (["--listen", ":0", "--to", "b:1", "--node-ports", "x"], "--node-ports is a range"),
        (["replay"], "replay needs a trace"),
        (["replay", __file__], "line 1"),
    ],
)
def test_refused(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(*arguments, capsys=capsys)
    assert status == 2
    assert word in err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run("show", str(tmp_path / "none"), capsys=capsys)
    assert (status, "No such file" in err) == (1, True)


def test_an_address_that_is_taken(cluster: Cluster, capsys: pytest.CaptureFixture[Any]) -> None:
    status, _, err = run("--listen", cluster.bootstrap_servers, "--to", "127.0.0.1:1", capsys=capsys)
    assert (status, "in use" in err) == (1, True)
