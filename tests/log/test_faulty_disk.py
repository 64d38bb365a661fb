"""The disk that fails: what a cut of the power may leave and what it may not, and every fault that can be asked for."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Any

import pytest

from klamm.log.faulty_disk import FaultyDisk, PowerCut

SEEDS = range(60)


def after_cuts(work: Callable[[FaultyDisk], Any], look: Callable[[FaultyDisk], Any], **options: Any) -> list[Any]:
    """What `look` finds after a cut of the power that follows `work`, for some seeds."""
    found = []
    for seed in SEEDS:
        disk = FaultyDisk(seed, **options)
        disk.make_directory("/d")
        disk.fsync_directory("/")
        work(disk)
        disk.power_cut()
        found.append(look(disk))
    return found


def names(disk: FaultyDisk) -> tuple[str, ...]:
    return tuple(disk.list_directory("/d"))


def synced_file(disk: FaultyDisk, data: bytes = b"") -> Any:
    file = disk.open("/d/f", create=True)
    file.pwrite(data, 0)
    file.fsync()
    disk.fsync_directory("/d")
    return file


@pytest.mark.parametrize("is_ordered", [False, True])
def test_what_is_synced_is_kept(is_ordered: bool) -> None:
    def work(disk: FaultyDisk) -> None:
        synced_file(disk, b"abc").pwrite(b"d", 3)
        disk.write_atomic("/d/g", b"g")

    found = after_cuts(work, lambda disk: (disk.read("/d/f")[:3], disk.read("/d/g")), is_ordered=is_ordered)
    assert set(found) == {(b"abc", b"g")}


def test_the_name_of_a_synced_file_is_lost_without_a_sync_of_its_directory() -> None:
    def work(disk: FaultyDisk) -> None:
        file = disk.open("/d/f", create=True)
        file.pwrite(b"abc", 0)
        file.fsync()

    assert set(after_cuts(work, names)) == {(), ("f",)}
    assert set(after_cuts(work, names, is_ordered=True)) == {("f",)}, "a journal keeps it"


def test_unsynced_writes_are_lost_kept_or_torn_by_sectors() -> None:
    def work(disk: FaultyDisk) -> None:
        file = synced_file(disk, b"a" * 1536)
        file.pwrite(b"b" * 1536, 0)
        file.pwrite(b"c" * 1024, 1536)

    found = after_cuts(work, lambda disk: disk.read("/d/f"))
    assert {b"a" * 1536, b"b" * 1536 + b"c" * 1024} <= set(found)
    assert len(set(found)) > 6
    for data in found:
        assert len(data) in (1536, 2048, 2560)
        for at in range(0, len(data), 512):
            assert len(set(data[at : at + 512])) == 1, "a sector is old or new"
    torn = [data for data in found if data[:1536] not in (b"a" * 1536, b"b" * 1536)]
    assert torn and any(0 in data for data in found), "the size may be there before the bytes"


def test_a_cut_of_a_file_may_be_lost() -> None:
    def work(disk: FaultyDisk) -> None:
        file = synced_file(disk, b"a" * 3000)
        file.truncate(100)
        file.pwrite(b"b" * 412, 100)

    strict = set(after_cuts(work, lambda disk: disk.read("/d/f")))
    ordered = set(after_cuts(work, lambda disk: disk.read("/d/f"), is_ordered=True))
    mixed = b"a" * 100 + b"b" * 412 + b"a" * 2488
    assert mixed in strict and mixed not in ordered
    assert b"a" * 3000 in strict & ordered


def test_changes_of_names_come_in_any_order_or_in_theirs() -> None:
    def work(disk: FaultyDisk) -> None:
        for name in "abc":
            disk.open(f"/d/{name}", create=True)
        disk.rename("/d/a", "/d/z")

    strict, ordered = set(after_cuts(work, names)), set(after_cuts(work, names, is_ordered=True))
    assert ("c",) in strict and ("b", "z") in strict
    assert ordered == {(), ("a",), ("a", "b"), ("a", "b", "c"), ("b", "c", "z")}
    assert all(not {"a", "z"} <= set(found) for found in strict), "a rename is one step"


def test_syncing_a_directory_saves_its_names_and_no_others() -> None:
    def work(disk: FaultyDisk) -> None:
        disk.make_directory("/d/in")
        disk.open("/d/in/x", create=True)
        disk.open("/d/y", create=True)
        disk.remove("/d/y")
        disk.open("/d/z", create=True)
        disk.fsync_directory("/d")

    found = after_cuts(work, lambda disk: (names(disk), tuple(disk.list_directory("/d/in"))))
    assert set(found) == {(("in", "z"), ()), (("in", "z"), ("x",))}


def test_a_lost_directory_takes_its_synced_files_along() -> None:
    def work(disk: FaultyDisk) -> None:
        disk.make_directory("/d/in")
        disk.write_atomic("/d/in/x", b"x")

    assert set(after_cuts(work, names)) == {(), ("in",)}


def test_nothing_open_outlives_the_process_and_a_second_cut_starts_from_the_first() -> None:
    disk = FaultyDisk(3)
    disk.make_directory("/d")
    disk.fsync_directory("/")
    file = synced_file(disk, b"abc")
    lock = disk.lock("/d/.lock")
    file.pwrite(b"d", 3)
    disk.process_kill()
    with pytest.raises(OSError) as caught:
        file.pwrite(b"e", 4)
    assert caught.value.errno == errno.EBADF
    assert disk.read("/d/f") == b"abcd", "the page cache outlives a process"
    disk.lock("/d/.lock").release()
    lock.release()
    disk.power_cut()
    left = disk.read("/d/f")
    for _ in range(20):
        disk.power_cut()
        assert disk.read("/d/f") == left


def test_the_same_seed_gives_the_same_disk() -> None:
    def work(disk: FaultyDisk) -> None:
        file = synced_file(disk, b"a" * 2000)
        for n in range(9):
            file.pwrite(bytes([n]) * 700, n * 300)
        disk.open("/d/g", create=True)

    def look(disk: FaultyDisk) -> tuple[Any, ...]:
        return names(disk), disk.read("/d/f")

    assert after_cuts(work, look) == after_cuts(work, look)


def test_errors_come_when_they_are_asked_for() -> None:
    disk = FaultyDisk()
    disk.make_directory("/d")
    file = disk.open("/d/f.log", create=True)
    fault = disk.fail("write", path="*.log", skip=2, times=2)
    file.pwrite(b"a", 0)
    disk.open("/d/other", create=True).pwrite(b"x", 0)
    file.pwrite(b"b", 1)
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            file.pwrite(b"c", 2)
        assert caught.value.errno == errno.EIO
    file.pwrite(b"d", 2)
    assert fault.met == 2 and disk.read("/d/f.log") == b"abd"
    for operation, call in (
        ("open", lambda: disk.open("/d/f.log")),
        ("create", lambda: disk.open("/d/new", create=True)),
        ("read", lambda: file.pread(1, 0)),
        ("read", file.view),
        ("truncate", lambda: file.truncate(0)),
        ("truncate", lambda: file.preallocate(100)),
        ("fsync_directory", lambda: disk.fsync_directory("/d")),
        ("rename", lambda: disk.rename("/d/f.log", "/d/g")),
        ("remove", lambda: disk.remove("/d/f.log")),
        ("make_directory", lambda: disk.make_directory("/d/x")),
        ("list", lambda: disk.list_directory("/d")),
        ("list", lambda: disk.space("/d")),
    ):
        disk.fail(operation, errno.EACCES)  # type: ignore[arg-type]
        with pytest.raises(PermissionError):
            call()
        call()
        disk.heal()
        if operation == "truncate":
            file.pwrite(b"abd", 0)
        elif operation == "rename":
            disk.rename("/d/g", "/d/f.log")
    assert names(disk) == ("new", "other", "x")


def test_a_failed_sync_that_is_tried_again_says_yes_and_has_not_saved_anything_more() -> None:
    lost = 0
    for seed in SEEDS:
        disk = FaultyDisk(seed)
        disk.make_directory("/d")
        file = synced_file(disk)
        disk.fsync_directory("/")
        file.pwrite(b"a" * 512, 0)
        disk.fail("fsync")
        with pytest.raises(OSError):
            file.fsync()
        assert not disk.is_synced("/d/f")
        file.fsync()
        file.pwrite(b"b" * 512, 512)
        file.fsync()
        assert disk.read("/d/f") == b"a" * 512 + b"b" * 512
        disk.power_cut()
        after = disk.read("/d/f")
        assert after[512:] == b"b" * 512, "what was written after the failure is synced"
        lost += after[:512] != b"a" * 512
    assert lost > 10


def test_a_full_disk_takes_what_fits() -> None:
    disk = FaultyDisk()
    disk.make_directory("/d")
    disk.capacity_bytes = 10
    file = disk.open("/d/f", create=True)
    file.pwrite(b"12345678", 0)
    with pytest.raises(OSError) as caught:
        file.pwrite(b"abcd", 8)
    assert caught.value.errno == errno.ENOSPC and disk.read("/d/f") == b"12345678ab"
    file.pwrite(b"xx", 0)
    with pytest.raises(OSError):
        file.preallocate(11)
    assert disk.space("/d") == (10, 0)
    disk.remove("/d/f")
    assert disk.space("/d") == (10, 10)
    disk.heal()
    disk.write_atomic("/d/g", b"x" * 100)


def test_short_writes_read_only_and_flipped_bits() -> None:
    disk = FaultyDisk(1)
    disk.make_directory("/d")
    file = disk.open("/d/f", create=True)
    disk.fail("write", errno.ENOSPC, after_bytes=3)
    with pytest.raises(OSError):
        file.pwrite(b"abcdef", 0)
    assert disk.read("/d/f") == b"abc"
    disk.is_read_only = True
    for call in (lambda: file.pwrite(b"x", 0), lambda: disk.remove("/d/f"), lambda: disk.write_atomic("/d/g", b"")):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EROFS
    assert disk.read("/d/f") == b"abc"
    disk.heal()
    disk.flip_reads(path="*/f", skip=1)
    assert file.pread(3, 0) == b"abc"
    wrong = file.pread(3, 0)
    assert sum((a ^ b).bit_count() for a, b in zip(wrong, b"abc", strict=True)) == 1
    assert disk.flip_bit("/d/f", 0) == 0
    disk.power_cut()
    assert not disk.exists("/d/f") or disk.read("/d/f") == b"`bc"


def test_the_power_goes_at_an_operation() -> None:
    disk = FaultyDisk()
    disk.make_directory("/d")
    file = disk.open("/d/f", create=True)
    disk.cut_power_after(2)
    file.pwrite(b"a", 0)
    file.fsync()
    for _ in range(2):
        with pytest.raises(PowerCut):
            file.pwrite(b"b", 1)
    disk.power_cut()
    disk.make_directory("/d")


def test_slow_syncs_wait_by_the_clock_they_are_given_and_side_by_side() -> None:
    waited: list[float] = []
    disk = FaultyDisk(sleep=waited.append)
    disk.make_directory("/d")
    disk.fsync_delay_ms = 30
    file = synced_file(disk, b"a")
    assert waited == [30, 30] and disk.counts["fsync"] == disk.counts["fsync_directory"] == 1

    barrier = threading.Barrier(2, timeout=30)
    side_by_side = FaultyDisk(sleep=lambda _: barrier.wait())
    files = [side_by_side.open(f"/{n}", create=True) for n in range(2)]
    side_by_side.fsync_delay_ms = 1
    threads = [threading.Thread(target=file.fsync) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    file.close()


def test_what_is_written_while_a_sync_runs_is_not_part_of_it() -> None:
    def write_more(_: float) -> None:
        file.pwrite(b"b" * 512, 512)

    found = set()
    for seed in SEEDS:
        disk = FaultyDisk(seed, sleep=write_more)
        disk.make_directory("/d")
        disk.fsync_directory("/")
        file = disk.open("/d/f", create=True)
        disk.fsync_directory("/d")
        file.pwrite(b"a" * 512, 0)
        disk.fsync_delay_ms = 1
        file.fsync()
        disk.power_cut()
        found.add(disk.read("/d/f"))
    assert {b"a" * 512, b"a" * 512 + b"b" * 512} <= found and all(data[:512] == b"a" * 512 for data in found)
