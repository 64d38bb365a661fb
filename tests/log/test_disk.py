"""All disks behave alike; what only the real one has (short writes, locks between processes) on its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from klamm.log import disk as disk_module
from klamm.log.disk import Disk, LockedError, RealDisk
from klamm.log.faulty_disk import FaultyDisk
from klamm.log.memory_disk import MemoryDisk

DISKS: dict[str, Callable[[], Disk]] = {
    "real": RealDisk,
    "memory": MemoryDisk,
    "faulty": FaultyDisk,
    "faulty, in order": lambda: FaultyDisk(sector_bytes=4096, is_ordered=True),
}


@pytest.fixture(params=DISKS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Disk, str]:
    disk = DISKS[request.param]()
    root = str(tmp_path)
    disk.make_directory(root)
    return disk, root


def test_file(place: tuple[Disk, str]) -> None:
    disk, root = place
    path = f"{root}/a"
    with pytest.raises(FileNotFoundError):
        disk.open(path)
    file = disk.open(path, create=True)
    file.pwrite(b"hello", 0)
    file.pwrite(memoryview(b"XY"), 1)
    file.pwrite(b"!", 7)
    assert file.size() == disk.size(path) == 8
    assert disk.read(path) == b"hXYlo\0\0!"
    assert file.pread(3, 1) == b"XYl" and file.pread(100, 6) == b"\0!" and file.pread(5, 100) == b""
    file.truncate(4)
    assert disk.read(path) == b"hXYl"
    file.truncate(6)
    file.preallocate(10)
    file.preallocate(3)
    assert disk.read(path) == b"hXYl" + bytes(6)
    file.fsync()
    file.close()
    disk.open(path, create=True).close()
    assert disk.size(path) == 10


def test_a_view_outlives_the_file(place: tuple[Disk, str]) -> None:
    disk, root = place
    file = disk.open(f"{root}/a", create=True)
    assert bytes(file.view()) == b""
    file.pwrite(b"0123456789", 0)
    view = file.view()
    assert view.readonly
    file.close()
    disk.rename(f"{root}/a", f"{root}/b")
    disk.remove(f"{root}/b")
    assert bytes(view[3:6]) == b"345"


def test_names(place: tuple[Disk, str]) -> None:
    disk, root = place
    disk.make_directory(f"{root}/x/y")
    disk.make_directory(f"{root}/x/y")
    disk.write_atomic(f"{root}/x/y/f", b"1")
    disk.write_atomic(f"{root}/x/y/f", b"22")
    assert disk.list_directory(f"{root}/x/y") == ["f"]
    assert disk.is_directory(f"{root}/x") and not disk.is_directory(f"{root}/x/y/f")
    disk.rename(f"{root}/x", f"{root}/z")
    assert not disk.exists(f"{root}/x/y/f") and disk.read(f"{root}/z/y/f") == b"22"
    assert disk.list_directory(root) == ["z"]
    disk.write_atomic(f"{root}/g", b"3")
    disk.rename(f"{root}/g", f"{root}/z/y/f")
    assert disk.read(f"{root}/z/y/f") == b"3" and not disk.exists(f"{root}/g")
    disk.fsync_directory(f"{root}/z")
    disk.remove(f"{root}/none")
    disk.remove_tree(f"{root}/z")
    disk.remove_tree(f"{root}/z")
    assert disk.list_directory(root) == []
    with pytest.raises(FileNotFoundError):
        disk.open(f"{root}/z/f", create=True)
    total, usable = disk.space(root)
    assert 0 < usable <= total


def test_lock(place: tuple[Disk, str]) -> None:
    disk, root = place
    lock = disk.lock(f"{root}/.lock")
    for _ in range(2):
        with pytest.raises(LockedError):
            disk.lock(f"{root}/.lock")
    lock.release()
    lock.release()
    disk.lock(f"{root}/.lock").release()


def test_lock_holds_against_another_process(tmp_path: Path) -> None:
    disk, path = RealDisk(), f"{tmp_path}/.lock"
    lock = disk.lock(path)
    with pytest.raises(LockedError):
        disk.lock(path)  # must not drop the lock of this process on its way out
    program = "import sys; from klamm.log.disk import RealDisk; RealDisk().lock(sys.argv[1])"
    result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert "LockedError" in result.stderr
    lock.release()
    result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert result.returncode == 0


def test_short_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(disk_module.os, "pwrite", lambda fd, data, at: pwrite(fd, bytes(data)[:3], at))
    file = RealDisk().open(f"{tmp_path}/a", create=True)
    file.pwrite(memoryview(b"0123456789"), 2)
    assert file.pread(20, 0) == b"\0\x000123456789"
    monkeypatch.setattr(disk_module.os, "pwrite", lambda fd, data, at: 0)
    with pytest.raises(OSError, match="0 bytes"):
        file.pwrite(b"x", 0)
    file.close()


def test_what_is_missing_or_of_another_kind_is_refused(place: tuple[Disk, str]) -> None:
    disk, root = place
    disk.make_directory(f"{root}/full")
    disk.open(f"{root}/full/f", create=True).close()
    disk.make_directory(f"{root}/d")
    for look in (disk.read, disk.size, disk.list_directory, disk.fsync_directory, disk.modified_ms):
        with pytest.raises(FileNotFoundError):
            look(f"{root}/none")
    with pytest.raises(FileNotFoundError):
        disk.rename(f"{root}/none", f"{root}/x")
    with pytest.raises(FileNotFoundError):
        disk.rename(f"{root}/d", f"{root}/none/x")
    with pytest.raises(OSError):
        disk.rename(f"{root}/d", f"{root}/full")
    with pytest.raises(FileNotFoundError):
        disk.write_atomic(f"{root}/none/x", b"")
    disk.make_directory(f"{root}/e")
    disk.rename(f"{root}/e", f"{root}/d")
    assert disk.list_directory(root) == ["d", "full"] and disk.list_directory(f"{root}/full") == ["f"]


def test_an_open_file_goes_with_its_bytes_not_its_name(place: tuple[Disk, str]) -> None:
    disk, root = place
    file = disk.open(f"{root}/a", create=True)
    file.pwrite(b"first", 0)
    disk.rename(f"{root}/a", f"{root}/b")
    disk.write_atomic(f"{root}/a", b"another")
    file.pwrite(b"!", 5)
    assert disk.read(f"{root}/b") == b"first!" and disk.read(f"{root}/a") == b"another"
    disk.write_atomic(f"{root}/b", b"replaced")
    assert file.pread(10, 0) == b"first!" and disk.read(f"{root}/b") == b"replaced"
    file.truncate(2)
    file.truncate(4)
    assert file.pread(10, 0) == b"fi\0\0" and file.size() == 4
    file.close()


def test_modification_times(place: tuple[Disk, str]) -> None:
    disk, root = place
    disk.write_atomic(f"{root}/a", b"1")
    disk.set_modified_ms(f"{root}/a", 1_700_000_000_123)
    assert disk.modified_ms(f"{root}/a") == 1_700_000_000_123


def test_a_protected_file_can_be_read_and_removed(place: tuple[Disk, str]) -> None:
    disk, root = place
    disk.write_atomic(f"{root}/a", b"1")
    disk.protect(f"{root}/a")
    assert disk.read(f"{root}/a") == b"1"
    if isinstance(disk, RealDisk):
        assert os.stat(f"{root}/a").st_mode & 0o777 == 0o400
    disk.remove(f"{root}/a")
    with pytest.raises(OSError):
        disk.protect(f"{root}/a")


def test_the_root_can_be_synced_and_listed(place: tuple[Disk, str]) -> None:
    disk, _ = place
    disk.fsync_directory("/")
    assert disk.list_directory("/")
