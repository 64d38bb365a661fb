"""`klamm start` on directories that it must not use: refused with one line that says why, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.testing.wire import WireClient


def command(base: Path, *more: str) -> list[str]:
    dirs = f"log.dirs={base}/a,{base}/b"
    ready = str(base / "ready.json")
    return [
        sys.executable, "-m", "klamm", "start", "--port", "0", "--override", dirs, "--ready-file", ready, *more,
    ]  # fmt: skip


def run(base: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(base, *more), capture_output=True, text=True, timeout=30, check=False)


def serve(base: Path) -> tuple[subprocess.Popen[str], str]:
    """A node on the two directories, and its address."""
    ready = base / "ready.json"
    ready.unlink(missing_ok=True)
    node = subprocess.Popen(command(base), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not ready.exists():
        assert node.poll() is None and time.monotonic() < deadline, node.communicate()[1] if node.poll() else ""
        time.sleep(0.01)
    return node, ready.read_text().split('"')[3]


def stop(node: subprocess.Popen[str]) -> str:
    node.send_signal(signal.SIGTERM)
    said = node.communicate(timeout=30)[1]
    assert node.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two directories of a node that was stopped cleanly, with a topic t of four partitions."""
    base = tmp_path_factory.mktemp("node")
    node, address = serve(base)
    row = CreateTopicsRequest.CreatableTopic
    topic = row(name="t", num_partitions=4, replication_factor=1, assignments=[], configs=[])
    with WireClient(address) as client:
        request = CreateTopicsRequest(topics=[topic], timeout_ms=5000, validate_only=False)
        assert client.ask(request, 5, CreateTopicsResponse).topics[0].error_code == 0
    stop(node)
    return base


@pytest.fixture
def base(made: Path, tmp_path: Path) -> Path:
    for name in "ab":
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def contents(base: Path) -> dict[str, bytes]:
    return {str(p.relative_to(base)): p.read_bytes() for p in sorted(base.rglob("*")) if p.is_file()}


def change(base: Path, name: str, old: str, new: str) -> None:
    path = base / name / "meta.properties"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def line_of(base: Path, name: str, key: str) -> str:
    return next(line for line in (base / name / "meta.properties").read_text().splitlines() if line.startswith(key))


def only(base: Path, name: str) -> Path:
    """A partition's directory in that log directory."""
    return min((base / name).glob("t-*"))


REFUSED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a stranger": (lambda base: (base / "b/lost+found").mkdir(), ["b/lost+found", "no partition's directory"]),
    "another name": (lambda base: (base / "b/foo-bar").mkdir(), ["b/foo-bar"]),
    "a bad suffix": (lambda base: (base / "b/t-0-delete").mkdir(), ["b/t-0-delete"]),
    "a partition twice": (
        lambda base: shutil.copytree(only(base, "a"), base / "b" / only(base, "a").name),
        ["is in", "/a", "/b"],
    ),
    "another cluster": (
        lambda base: change(base, "b", line_of(base, "b", "cluster.id"), "cluster.id=x"),
        ["cluster x"],
    ),
    "another node": (lambda base: change(base, "b", "node.id=1", "node.id=2"), ["node 2"]),
    "one id for two": (
        lambda base: change(base, "b", line_of(base, "b", "directory.id"), line_of(base, "a", "directory.id")),
        ["directory id of another"],
    ),
    "no identity, but data": (lambda base: (base / "b/meta.properties").unlink(), ["b has no meta.properties", "t-"]),
    "no identity at all": (lambda base: (base / "b/meta.properties").write_text("hello"), ["cluster.id is missing"]),
    "the metadata's own directory": (
        lambda base: (base / "a/meta.properties").write_text("version=7"),
        ["/a, the directory of the metadata log", "version '7'"],
    ),
    "metadata elsewhere": (
        lambda base: shutil.copytree(base / "a/__cluster_metadata-0", base / "b/__cluster_metadata-0"),
        ["b/__cluster_metadata-0"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(base: Path, name: str) -> None:
    spoil, words = REFUSED[name]
    spoil(base)
    before = contents(base)
    failed = run(base)
    assert failed.returncode == 1, failed.stderr
    assert "Traceback" not in failed.stderr
    (told,) = [line for line in failed.stderr.splitlines() if line.startswith("klamm: ")]
    assert all(word in told for word in words), told
    assert contents(base) == before


def test_another_node_id_is_asked_for(base: Path) -> None:
    failed = run(base, "--override", "node.id=5")
    assert failed.returncode == 1 and "node 1" in failed.stderr and "node.id=5" in failed.stderr


def test_a_running_node_is_left_alone(base: Path) -> None:
    node, _ = serve(base)
    failed = run(base)
    assert failed.returncode == 1 and "in use" in failed.stderr and len(failed.stderr.splitlines()) == 1
    stop(node)


def test_an_offline_directory_and_a_stray(base: Path) -> None:
    """What can be handled is handled, and said."""
    (base / "a/zz-7").mkdir()
    shutil.rmtree(base / "b")
    (base / "b").write_text("a file")
    node, address = serve(base)
    said = stop(node)
    assert "/b is offline" in said and "a/zz-7 is not known to the metadata: renamed to zz-7." in said
    assert [path.name.rpartition("-")[2] for path in (base / "a").glob("zz-*")] == ["stray"]
    assert address and "Traceback" not in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_without_permission(base: Path) -> None:
    (base / "b").chmod(0)
    try:
        node, _ = serve(base)
        assert "/b is offline: Permission denied" in stop(node)
    finally:
        (base / "b").chmod(0o755)
