"""The cleaner's process: it leaves what the thread leaves, and goes when it is to go."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto.records import Record, build_batch
from klamm.log.cleaner import log_cleaner as cleaner_module
from klamm.log.cleaner.child import CleanerChild
from klamm.log.cleaner.cleaning import ChildEnded
from klamm.log.cleaner.log_cleaner import LogCleaner
from klamm.log.cleaner.plan import CleanerSettings, CleaningPlan, PlannedSegment
from klamm.log.disk import RealDisk
from klamm.log.io_thread import InlineIo, ThreadIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dirs import LogDirs
from klamm.seams import SystemClock, SystemEntropy

CONFIG = {"cleanup.policy": "compact", "internal.segment.bytes": 4000, "min.cleanable.dirty.ratio": 0.1}


@pytest.fixture
def children() -> Iterator[list[CleanerChild]]:
    made: list[CleanerChild] = []
    yield made
    for child in made:
        child.close()


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.endswith(".deleted")}


async def _clean(directory: Path, new_child: Callable[[], CleanerChild] | None, until: Callable[[Any], bool]) -> Any:
    """Write a log, have the cleaner at it until something is so, close all."""
    loop = asyncio.get_running_loop()
    clock = SystemClock(loop)
    dirs = LogDirs([str(directory)], disk=RealDisk(), clock=clock, entropy=SystemEntropy(), writer=InlineIo(),
                   flusher=InlineIo())  # fmt: skip
    dirs.open()
    log = dirs.create("t", 0, bytes(15) + b"\1", LogConfig(CONFIG))
    for n in range(200):
        record = Record(0, 1_700_000_000_000 + n, b"key %d" % (n % 7), b"value %d" % n * 20)
        log.append_as_leader(memoryview(bytearray(build_batch([record], base_offset=0))), 0, now_ms=clock.time_ms())
    log.advance_high_watermark()
    settings = CleanerSettings(backoff_ms=20)
    cleaner = dirs.cleaner = LogCleaner(
        dirs, settings, lambda name: ThreadIo(name, loop.call_soon_threadsafe), new_child=new_child
    )
    cleaner.start()
    deadline = loop.time() + 60
    while not until(cleaner):
        assert loop.time() < deadline
        await asyncio.sleep(0.005)
    dirs.close()
    return cleaner


def _is_done(cleaner: Any) -> bool:
    return cleaner.metrics.runs == 1 and bool(cleaner.offsets)


async def test_it_leaves_what_the_thread_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[CleanerChild]
) -> None:
    def new_child() -> CleanerChild:
        children.append(CleanerChild())
        return children[-1]

    await _clean(tmp_path / "thread", new_child, _is_done)
    assert children == [], "the log is too small for a process"
    monkeypatch.setattr(cleaner_module, "CHILD_FROM_BYTES", 1)
    by_child = await _clean(tmp_path / "child", new_child, _is_done)
    assert len(children) == 1 and children[0]._process is None, "it has been ended"
    assert by_child.metrics.bytes_written > 0
    assert _files(tmp_path / "thread" / "t-0") == _files(tmp_path / "child" / "t-0")


class _Dying(CleanerChild):
    """Killed as soon as it has begun."""

    def _start(self) -> subprocess.Popen[bytes]:
        process = super()._start()
        process.kill()
        return process


async def test_a_child_that_is_killed_is_replaced_by_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cleaner_module, "CHILD_FROM_BYTES", 1)
    cleaner = await _clean(tmp_path / "data", _Dying, _is_done)
    assert "the cleaner's process has ended" in caplog.text
    assert not cleaner.uncleanable


def _plan(directory: Path, batches: list[bytes]) -> CleaningPlan:
    directory.mkdir()
    data = b"".join(batches)
    (directory / f"{0:020d}.log").write_bytes(data)
    return CleaningPlan(
        str(directory), [PlannedSegment(0, len(data))], 0, len(batches) + 1, [], {}, 1 << 30, 1 << 20, 4096, 0, 0
    )


def _batches(count: int) -> list[bytes]:
    return [build_batch([Record(n, 1000, b"k", b"v" * 100)], base_offset=n) for n in range(count)]


def test_errors_come_back_and_the_child_goes_on(tmp_path: Path, children: list[CleanerChild]) -> None:
    child = CleanerChild()
    children.append(child)
    bad = _batches(3)
    bad[1] = bad[1][:-3] + b"??" + bad[1][-1:]
    run = child.run(_plan(tmp_path / "bad", bad), CleanerSettings(), lambda _: None, lambda: 0.0)
    with pytest.raises(Exception, match="CRC"):
        list(run.groups())
    process = child._process
    assert process is not None and process.poll() is None
    assert [path.name for path in (tmp_path / "bad").iterdir()] == [f"{0:020d}.log"]
    with pytest.raises(FileNotFoundError):
        list(child.run(_plan(tmp_path / "gone", [])._replace(directory="/nowhere", segments=[PlannedSegment(0, 9)]),
                       CleanerSettings(), lambda _: None, lambda: 0.0).groups())  # fmt: skip
    good = child.run(_plan(tmp_path / "good", _batches(3)), CleanerSettings(), lambda _: None, lambda: 0.0)
    assert [group.base_offset for group in good.groups()] == [0]
    assert good.end_offset == 4 and good.stats.messages_written == 1
    assert child._process is process


class _Aborted(Exception):
    pass


def test_an_abort_ends_the_child_and_leaves_nothing(tmp_path: Path, children: list[CleanerChild]) -> None:
    child = CleanerChild()
    children.append(child)
    calls = []

    def abort(size: int) -> None:
        calls.append(size)
        if len(calls) > 1:
            raise _Aborted

    slow = CleanerSettings(io_bytes_per_second_max=10, io_buffer_bytes=1)
    run = child.run(_plan(tmp_path / "slow", _batches(20_000)), slow, abort, lambda: 0.0)
    with pytest.raises(_Aborted):
        list(run.groups())
    assert child._process is None
    assert [path.name for path in (tmp_path / "slow").iterdir()] == [f"{0:020d}.log"]


def _is_waiting_within_a_pass(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "S" and any(os.path.realpath(fd).endswith(".log") for fd in Path(f"/proc/{pid}/fd").iterdir())


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    """A node that is killed leaves no process that writes into its directory, or that waits to do so."""
    plan = _plan(tmp_path / "slow", _batches(400_000))  # several times what is cleaned before the limit is looked at
    code = f"""
from klamm.log.cleaner.child import CleanerChild
from klamm.log.cleaner.plan import CleanerSettings, CleaningPlan, PlannedSegment
child = CleanerChild()
print(child._start().pid, flush=True)
slow = CleanerSettings(io_bytes_per_second_max=10, io_buffer_bytes=1)
list(child.run({plan!r}, slow, lambda _: None, lambda: 0.0).groups())
"""
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    try:
        while not _is_waiting_within_a_pass(pid):
            assert parent.poll() is None
            threading.Event().wait(0.005)
    finally:
        parent.kill()
    try:
        parent.communicate(timeout=50)  # the end of both: the child has the parent's standard error too
    except subprocess.TimeoutExpired:
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the child lives on")


def test_a_child_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    child = CleanerChild()
    with pytest.raises(ChildEnded):
        list(child.run(_plan(tmp_path / "p", _batches(2)), CleanerSettings(), lambda _: None, lambda: 0.0).groups())
