"""Log directories that fail: at the start, at work, and what is left of them for the next start."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log.disk import RealDisk
from klamm.log.io_thread import InlineIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import LogDir, LogDirError
from klamm.log.log_dirs import LogDirs
from klamm.log.memory_disk import MemoryDisk
from klamm.log.partition_log import PartitionLog
from klamm.seams import SeededEntropy
from tests.clock import FakeClock

ID = b"\x11" * 16
OTHER = b"\x22" * 16


class FailingDisk(MemoryDisk):
    """Fails below the paths in `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()

    def _check(self, path: str) -> None:
        if any(path == broken or path.startswith(broken + "/") for broken in self.broken):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    def open(self, path: str, *, create: bool = False) -> Any:
        self._check(path)
        return super().open(path, create=create)

    def list_directory(self, path: str) -> list[str]:
        self._check(path)
        return super().list_directory(path)

    def read(self, path: str) -> bytes:
        self._check(path)
        return super().read(path)

    def write_atomic(self, path: str, data: bytes) -> None:
        self._check(path)
        super().write_atomic(path, data)


@pytest.fixture
def lab(lab: Any) -> Any:
    lab.disk = FailingDisk()
    return lab


def test_what_is_told_of_a_failure(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    ids = dict(dirs.directory_ids)
    logs = [dirs.create("t", n, ID, LogConfig()) for n in range(4)]
    lost = [log for log in logs if log.log_dir.path == "/b"]
    told: list[tuple[LogDir, bytes | None, list[PartitionLog]]] = []
    dirs.on_offline = lambda *what: told.append(what)
    lost[0].log_dir.fail(OSError(errno.EIO, "Input/output error"))
    # Whoever met the error is still at work: only then the directory is let go.
    assert not told and dirs.get("t", lost[0].partition) is lost[0]
    lab.clock.advance(0)
    assert told == [(lost[0].log_dir, ids["/b"], lost)]
    assert dirs.directory_ids == {"/a": ids["/a"]} and dirs.has_offline
    assert {log.log_dir.path for log in dirs.logs.values()} == {"/a"}
    # The lock is free: the disk can be unmounted, or looked at with other tools.
    lab.disk.lock("/b/.lock").release()


def test_only_new_partitions_are_made_beside_a_failed_directory(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    dirs.directories[1].fail(OSError(errno.EIO, "Input/output error"))
    lab.clock.advance(0)
    with pytest.raises(KafkaError) as caught:
        dirs.create("t", 0, ID, LogConfig(), is_new=False)
    assert caught.value.code == errors.KAFKA_STORAGE_ERROR and "/b" in str(caught.value)
    assert dirs.create("t", 0, ID, LogConfig()).log_dir.path == "/a"
    assert dirs.create("t", 0, ID, LogConfig(), is_new=False) is dirs.get("t", 0)


def test_a_new_partition_goes_where_the_disk_works(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    dirs.create("t", 0, ID, LogConfig())
    lab.disk.broken.add("/b")
    # /b has the fewest, and fails at that.
    assert dirs.create("t", 1, ID, LogConfig()).log_dir.path == "/a"
    assert [directory.path for directory in dirs.online] == ["/a"]
    lab.disk.broken.add("/a")
    with pytest.raises(KafkaError) as caught:
        dirs.create("t", 2, ID, LogConfig())
    assert caught.value.code == errors.KAFKA_STORAGE_ERROR


@pytest.mark.parametrize(
    "break_it",
    [
        lambda disk: disk.broken.add("/b"),
        lambda disk: disk.broken.add("/b/meta.properties"),
        lambda disk: disk.write_atomic("/b/meta.properties", b"version=7\n"),
        lambda disk: disk.write_atomic(
            "/b/meta.properties", b"version=1\ncluster.id=cluster\nnode.id=1\ndirectory.id=x"
        ),
    ],
    ids=["unreadable", "meta.properties unreadable", "unknown version", "no directory id"],
)
def test_offline_from_the_start(lab: Any, break_it: Any, caplog: Any) -> None:
    dirs = lab.started("/a", "/b")
    for n in range(2):
        lab.append(dirs.create("t", n, ID, LogConfig()))
    dirs.close(7)
    break_it(lab.disk)
    dirs = lab.started("/a", "/b")
    assert [directory.path for directory in dirs.online] == ["/a"] and list(dirs.directory_ids) == ["/a"]
    assert [log.log_dir.path for log in dirs.logs.values()] == ["/a"]
    assert dirs.previous_broker_epoch == -1  # not everything was there when the last life ended
    assert [r.message for r in caplog.records if "/b is offline" in r.message]
    assert {d.path: d.error for d in dirs.describe()} == {"/a": errors.NONE, "/b": errors.KAFKA_STORAGE_ERROR}
    dirs.close(8)


def test_nothing_is_missing_when_the_directory_is_back(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    logs = [dirs.create("t", n, ID, LogConfig()) for n in range(2)]
    for log in logs:
        lab.append(log, lab.batch(3))
    lab.disk.broken.add("/b")
    lost = next(log for log in logs if log.log_dir.path == "/b")
    lost.log_dir.fail(OSError(errno.EIO, "Input/output error"))
    lab.clock.advance(0)
    kept = dirs.get("t", 1 - lost.partition)
    lab.append(kept, lab.batch(2))
    dirs.close(7)
    lab.disk.broken.clear()
    dirs = lab.started("/a", "/b")
    assert {key: log.log_end_offset for key, log in dirs.logs.items()} == {
        ("t", lost.partition): 3,
        ("t", 1 - lost.partition): 5,
    }
    assert dirs.previous_broker_epoch == -1


def test_a_partition_that_cannot_be_loaded_takes_its_directory_offline(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    for n in range(4):
        dirs.create("t", n, ID, LogConfig())
    dirs.close(7)
    lab.disk.write_atomic("/b/t-1/partition.metadata", b"hello")
    dirs = lab.started("/a", "/b", belongs=lambda *_: ID)
    assert sorted(dirs.logs) == [("t", 0), ("t", 2)]
    lab.clock.advance(0)
    assert list(dirs.directory_ids) == ["/a"]
    dirs.close(8)
    assert not lab.disk.exists("/b/.kafka_cleanshutdown")


def test_all_directories_unusable(lab: Any) -> None:
    lab.disk.broken |= {"/a", "/b"}
    with pytest.raises(LogDirError, match=r"no log directory can be used: /a: Input/output error; /b: Input"):
        lab.dirs("/a", "/b").open()


def test_the_epochs_of_the_clean_stops_must_agree(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    dirs.close(7)
    lab.disk.write_atomic("/b/.kafka_cleanshutdown", b'{"version":0,"brokerEpoch":6}')
    assert lab.started("/a", "/b").previous_broker_epoch == -1


def test_the_same_directory_twice(lab: Any, tmp_path: Path) -> None:
    with pytest.raises(LogDirError, match=r"log\.dirs has /a/ twice"):
        lab.dirs("/a", "/b", "/a/").open()
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    io = InlineIo()
    paths = [str(tmp_path / "data"), str(tmp_path / "link")]
    dirs = LogDirs(paths, disk=RealDisk(), clock=FakeClock(), entropy=SeededEntropy(1), writer=io, flusher=io)
    with pytest.raises(LogDirError, match=r"link is in use .*already locked by this process"):
        dirs.open()


def test_directories_on_a_real_disk(tmp_path: Path) -> None:
    """A file where a directory should be, and one whose parents are missing."""
    (tmp_path / "file").write_text("x")
    io = InlineIo()
    paths = [str(tmp_path / name) for name in ("file", "deep/er/data")]
    dirs = LogDirs(paths, disk=RealDisk(), clock=FakeClock(), entropy=SeededEntropy(1), writer=io, flusher=io)
    assert dirs.open() is None
    dirs.format("cluster", 1)
    dirs.load()
    assert list(dirs.directory_ids) == paths[1:]
    assert dirs.directories[0].reason in ("File exists", "Not a directory")
    dirs.close()


def test_an_old_file_gets_a_directory_id(lab: Any) -> None:
    lab.disk.make_directory("/a")
    lab.disk.write_atomic("/a/meta.properties", b"version=0\nbroker.id=1\ncluster.id=cluster\n")
    dirs = lab.dirs("/a")
    found = dirs.open()
    assert (found.cluster_id, found.node_id) == ("cluster", 1)
    dirs.close()
    again = lab.dirs("/a")
    again.open()
    assert again.directory_ids == dirs.directory_ids
    again.release()
    lab.disk.write_atomic("/a/meta.properties", b"hello")
    with pytest.raises(LogDirError, match=r"cluster\.id is missing"):
        lab.dirs("/a", "/b").open()


def test_a_start_that_is_refused_leaves_clean_directories_clean(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    for n in range(2):
        lab.append(dirs.create("t", n, ID, LogConfig()))
    dirs.close(7)
    checkpoint = lab.disk.read("/a/recovery-point-offset-checkpoint")
    lab.disk.make_directory("/b/lost+found")
    refused = lab.dirs("/a", "/b")
    refused.open()
    with pytest.raises(LogDirError, match=r"/b/lost\+found is no partition's directory"):
        refused.load()
    refused.close()
    lab.disk.remove_tree("/b/lost+found")
    assert lab.disk.read("/a/recovery-point-offset-checkpoint") == checkpoint
    dirs = lab.started("/a", "/b")
    assert dirs.previous_broker_epoch == 7
    crash_of = lab.dirs("/a", "/b")
    dirs.release()
    crash_of.open()
    crash_of.take_clean_shutdowns()
    crash_of.close()
    # What was not clean is not called so by a start that did not get to look at it.
    assert not lab.disk.exists("/a/.kafka_cleanshutdown")


def test_a_directory_for_the_metadata_alone(lab: Any) -> None:
    def make() -> LogDirs:
        io = InlineIo()
        return LogDirs(
            ["/a", "/b"],
            disk=lab.disk,
            clock=lab.clock,
            entropy=lab.entropy,
            writer=io,
            flusher=io,
            metadata_path="/meta",
        )

    dirs = make()
    dirs.open()
    dirs.format("cluster", 1)
    dirs.load()
    own = dirs.directories[-1]
    assert own.path == "/meta" and own not in dirs.online and own in dirs.healthy
    assert sorted(dirs.directory_ids) == ["/a", "/b", "/meta"]
    assert set(dirs.registered_ids) == {dirs.directory_ids["/a"], dirs.directory_ids["/b"]}
    lab.append(dirs.open_metadata_log(LogConfig(), own), lab.batch(3))
    for n in range(4):
        dirs.create("t", n, ID, LogConfig())
    assert {log.log_dir.path for log in dirs.logs.values()} == {"/a", "/b"}
    assert [d.path for d in dirs.describe()] == ["/a", "/b"]
    dirs.close(7)
    dirs = make()
    dirs.open()
    assert dirs.open_metadata_log(LogConfig(), dirs.directories[-1]).log_end_offset == 3
    dirs.load()
    assert dirs.previous_broker_epoch == 7
    own = dirs.directories[-1]
    own.fail(OSError(errno.EIO, "Input/output error"))
    lab.clock.advance(0)
    assert not dirs.has_offline and len(dirs.online) == 2 and not dirs.healthy[-1].failure
    assert dirs.create("u", 0, ID, LogConfig(), is_new=False).log_end_offset == 0
    dirs.close()


def test_the_order_of_registered_directories(lab: Any) -> None:
    """Kafka compares ids as signed numbers: one that begins with a high bit comes first."""
    dirs = lab.dirs("/a", "/b", "/c")
    dirs.open()
    dirs.directory_ids = {"/a": b"\x01" * 16, "/b": b"\x7f" * 16, "/c": b"\x80" + b"\x00" * 15}
    assert dirs.registered_ids == [b"\x80" + b"\x00" * 15, b"\x01" * 16, b"\x7f" * 16]
    dirs.release()
