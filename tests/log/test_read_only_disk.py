"""A disk that only reads: every change is refused, and another's lock is seen without being taken."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from klamm.log.disk import ReadOnlyDisk


def test_nothing_can_be_changed(tmp_path: Path) -> None:
    disk = ReadOnlyDisk()
    path = str(tmp_path / "a")
    Path(path).write_bytes(b"abc")
    file = disk.open(path)
    assert file.pread(10, 1) == b"bc"
    with pytest.raises(OSError):
        file.pwrite(b"x", 0)
    with pytest.raises(OSError):
        file.truncate(0)
    file.close()
    for change in (
        lambda: disk.open(path, create=True),
        lambda: disk.write_atomic(path, b""),
        lambda: disk.rename(path, path + "b"),
        lambda: disk.remove(path),
        lambda: disk.remove_tree(str(tmp_path)),
        lambda: disk.make_directory(str(tmp_path / "d")),
        lambda: disk.fsync_directory(str(tmp_path)),
        lambda: disk.lock(path),
    ):
        with pytest.raises(OSError) as caught:
            change()
        assert caught.value.errno == errno.EROFS
    assert disk.read(path) == b"abc"
    assert disk.list_directory(str(tmp_path)) == ["a"]


def test_a_lock_is_seen_and_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / ".lock")
    disk = ReadOnlyDisk()
    code = "import sys; from klamm.log.disk import RealDisk; lock = RealDisk().lock(sys.argv[1]); print(1, flush=True)"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"{code}; sys.stdin.read(); lock.release(); print(2, flush=True); sys.stdin.close()",
            path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"1\n"
        assert disk.is_locked(path)
        assert disk.is_locked(path)
        holder.stdin.close()
        assert holder.stdout.readline() == b"2\n"
        assert not disk.is_locked(path)
    finally:
        holder.wait(20)
        holder.stdout.close()
