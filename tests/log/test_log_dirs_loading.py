"""What a start makes of the directories it finds: partitions, strays, unfinished moves and deletes, and strangers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto.uuids import uuid_text
from klamm.log import checkpoint, future_log, recovery
from klamm.log.disk import RealDisk
from klamm.log.io_thread import InlineIo
from klamm.log.leftovers import PartitionName, parse_name, suffixed_name
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import LogDirError
from klamm.log.log_dirs import LogDirs
from klamm.seams import SeededEntropy
from tests.clock import FakeClock

ID = b"\x11" * 16
OTHER = b"\x22" * 16
HEX = "00112233445566778899aabbccddeeff"


def names(lab: Any, path: str) -> list[str]:
    return [name for name in lab.disk.list_directory(path) if lab.disk.is_directory(f"{path}/{name}")]


def make(lab: Any, path: str, topic_id: bytes | None) -> None:
    lab.disk.make_directory(path)
    if topic_id is not None:
        text = f"version: 0\ntopic_id: {uuid_text(topic_id)}"
        lab.disk.write_atomic(f"{path}/partition.metadata", text.encode())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("t-0", ("t", 0, "")),
        ("a-b.c_d-17", ("a-b.c_d", 17, "")),
        (f"t-3.{HEX}-delete", ("t", 3, "-delete")),
        (f"a-b-3.{HEX}-future", ("a-b", 3, "-future")),
        (f"a.b-3.{HEX}-stray", ("a.b", 3, "-stray")),
        ("lost+found", None),
        ("foo-bar", None),
        (".snapshots", None),
        ("-1", None),
        ("a-", None),
        ("t-0-delete", None),
        ("t-0-stray", None),
        ("t-٣", None),
    ],
)
def test_names(name: str, expected: tuple[str, int, str] | None) -> None:
    assert parse_name(name) == (None if expected is None else PartitionName(*expected))


def test_a_long_name_keeps_its_partition() -> None:
    name = suffixed_name("x" * 249, 12345, "-stray", SeededEntropy(1))
    assert len(name) == 255
    parsed = parse_name(name)
    assert parsed is not None and parsed[1:] == (12345, "-stray") and set(parsed.topic) == {"x"}


@pytest.mark.parametrize("name", ["lost+found", "foo-bar", ".snapshots", "t-0-delete"])
def test_strangers_are_refused(lab: Any, name: str) -> None:
    lab.started("/data").close()
    lab.disk.make_directory(f"/data/{name}")
    lab.disk.write_atomic("/data/a file", b"is nobody's business")
    dirs = lab.dirs("/data")
    dirs.open()
    with pytest.raises(LogDirError, match="is no partition's directory") as caught:
        dirs.load()
    assert f"/data/{name}" in str(caught.value) and "\n" not in str(caught.value)


def test_strays(lab: Any) -> None:
    dirs = lab.started("/data")
    for topic, topic_id in (("t", ID), ("gone", ID), ("again", ID)):
        lab.append(dirs.create(topic, 0, topic_id, LogConfig()))
    dirs.close()
    known = {"t": ID, "again": OTHER}
    asked = []

    def belongs(topic: str, index: int, topic_id: bytes | None) -> bytes | None:
        asked.append((topic, index, topic_id))
        return b"d" * 16 if known.get(topic) == topic_id else None

    dirs = lab.started("/data", belongs=belongs)
    assert sorted(asked) == [("again", 0, ID), ("gone", 0, ID), ("t", 0, ID)]
    assert sorted(dirs.logs) == [("t", 0)]
    found = [parse_name(name) for name in names(lab, "/data")]
    assert found == [("again", 0, "-stray"), ("gone", 0, "-stray"), ("t", 0, "")]
    # A new partition of the name takes the place, and the stray stays for whoever wants it.
    assert dirs.create("again", 0, OTHER, LogConfig()).log_end_offset == 0
    dirs.close()
    dirs = lab.started("/data", belongs=belongs)
    lab.clock.advance(10**9)
    assert len(names(lab, "/data")) == 4 and sorted(dirs.logs) == [("again", 0), ("t", 0)]


def test_a_copy_without_an_id_gives_way(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    log = dirs.create("t", 0, ID, LogConfig(), dirs.directory_ids["/a"])
    lab.append(log)
    dirs.close()
    make(lab, "/b/t-0", None)
    dirs = lab.started("/a", "/b", belongs=lambda *_: b"d" * 16)
    assert dirs.logs["t", 0].log_dir.path == "/a" and dirs.logs["t", 0].log_end_offset == 1
    assert [parse_name(name) for name in names(lab, "/b")] == [("t", 0, "-stray")]


def test_an_unfinished_move_that_the_metadata_has_taken_over(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    home = dirs.directory_ids["/b"]
    log = dirs.create("t", 0, ID, LogConfig(), dirs.directory_ids["/a"])
    lab.append(log)
    dirs.close()
    make(lab, f"/b/t-0.{HEX}-future", ID)
    make(lab, f"/a/u-0.{HEX}-future", ID)
    lab.disk.write_atomic(f"/b/t-0.{HEX}-future/marker", b"")
    dirs = lab.started("/a", "/b", belongs=lambda *_: home)
    assert dirs.logs["t", 0].directory == "/b/t-0" and lab.disk.exists("/b/t-0/marker")
    assert [parse_name(name) for name in names(lab, "/a")] == [("t", 0, "-delete"), ("u", 0, "-future")]
    lab.clock.advance(60_000)
    assert names(lab, "/a") == [f"u-0.{HEX}-future"]


def test_an_unfinished_move_is_gone_on_with(lab: Any) -> None:
    """Its copy is loaded beside the replica, and judged by the checkpoints of its own directory."""
    dirs = lab.started("/a", "/b")
    home = dirs.directory_ids["/a"]
    log = dirs.create("t", 0, ID, LogConfig(), home)
    for _ in range(3):
        lab.append(log)
    future = future_log.create(dirs, log, dirs.directories[1])
    future_log.copy_some(log, future, 1)
    gone = dirs.create("gone", 0, OTHER, LogConfig(), home)
    future_log.create(dirs, gone, dirs.directories[1])
    dirs.close()
    assert checkpoint.read_offsets(lab.disk, f"/a/{checkpoint.RECOVERY_POINT}") == {("t", 0): 3, ("gone", 0): 0}
    assert checkpoint.read_offsets(lab.disk, f"/b/{checkpoint.RECOVERY_POINT}") == {("t", 0): 1, ("gone", 0): 0}
    dirs = lab.started("/a", "/b", belongs=lambda topic, _index, _id: home if topic == "t" else None)
    assert dirs.futures.keys() == dirs.logs.keys() == {("t", 0)}
    assert dirs.futures["t", 0].directory == future.directory
    assert (dirs.futures["t", 0].log_end_offset, dirs.futures["t", 0].recovery_point) == (1, 1)
    assert [parse_name(name) for name in names(lab, "/b")] == [("gone", 0, "-stray"), ("t", 0, "-future")]
    dirs.delete_future("t", 0)
    assert [parse_name(name) for name in names(lab, "/b")] == [("gone", 0, "-stray"), ("t", 0, "-delete")]
    dirs.close()
    assert checkpoint.read_offsets(lab.disk, f"/b/{checkpoint.RECOVERY_POINT}") == {}


def test_a_copy_whose_replica_is_not_here_is_left_alone(lab: Any, caplog: Any) -> None:
    dirs = lab.started("/a", "/b")
    home = dirs.directory_ids["/a"]
    future_log.create(dirs, dirs.create("t", 0, ID, LogConfig(), home), dirs.directories[1])
    dirs.close()
    lab.disk.remove_tree("/a/t-0")
    dirs = lab.started("/a", "/b", belongs=lambda *_: home)
    assert dirs.futures == {} and "unfinished move" in caplog.text
    assert [parse_name(name) for name in names(lab, "/b")] == [("t", 0, "-future")]


def test_no_further_log_once_it_is_stopped(lab: Any) -> None:
    dirs = lab.started("/data")
    for n in range(5):
        dirs.create("t", n, ID, LogConfig())
    dirs.close()
    dirs = lab.dirs("/data")
    dirs.open()
    done: list[int] = []
    loading = dirs.begin_load(progress=lambda n, _: (done.append(n), loading.stop() if n == 2 else None))
    loading.run()
    assert done == [1, 2] and len(loading.logs) == 2


def test_several_threads(tmp_path: Path, monkeypatch: Any) -> None:
    def make_dirs() -> LogDirs:
        io = InlineIo()
        return LogDirs(
            [str(tmp_path / name) for name in "ab"],
            disk=RealDisk(),
            clock=FakeClock(),
            entropy=SeededEntropy(1),
            writer=io,
            flusher=io,
            recovery_threads_per_directory=3,
        )

    dirs = make_dirs()
    dirs.open()
    dirs.format("cluster", 1)
    dirs.load()
    for n in range(40):
        dirs.create("t", n, ID, LogConfig())
    dirs.release()
    opened = recovery.open_log
    meet = threading.Barrier(6)

    def noted(log_dir: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() not in started_by:
            started_by.add(threading.get_ident())
            meet.wait(10)  # passes only when all six are at work at once
        return opened(log_dir, *args, **kwargs)

    started_by: set[int] = set()
    monkeypatch.setattr(recovery, "open_log", noted)
    dirs = make_dirs()
    dirs.open()
    seen: list[tuple[int, int]] = []
    dirs.load(progress=lambda done, total: seen.append((done, total)))
    assert len(started_by) == 6 and sorted(dirs.logs) == [("t", n) for n in range(40)]
    assert seen == [(n + 1, 40) for n in range(40)]
    dirs.close()
    assert all((tmp_path / name / ".kafka_cleanshutdown").exists() for name in "ab")


def test_a_clean_start_has_nothing_to_complain_of(lab: Any, caplog: Any) -> None:
    dirs = lab.started("/a", "/b")
    for n in range(4):
        log = dirs.create("t", n, ID, LogConfig())
        for _ in range(n):
            lab.append(log, lab.batch(3))
    dirs.close(7)
    caplog.clear()
    assert [log.log_end_offset for _, log in sorted(lab.started("/a", "/b").logs.items())] == [0, 3, 6, 9]
    assert [r.message for r in caplog.records if r.levelname != "INFO"] == []
