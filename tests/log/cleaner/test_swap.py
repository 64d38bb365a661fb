"""A crash at any point of a swap: the next start finds the log as it was before or as it is after, nothing between."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import records
from klamm.log.disk import File
from klamm.log.log_config import LogConfig
from klamm.log.memory_disk import MemoryDisk
from klamm.log.swap import finish_swaps
from tests.log.cleaner.test_runs import TOPIC_ID, Cleaning, keys
from tests.log.conftest import Lab

DIR = "/data/t-0"


class Stopped(BaseException):
    """The machine has stopped: nothing catches that."""


class StoppingDisk(MemoryDisk):
    """Stops before the n-th change of a name, and lets nothing through from then on."""

    left: int | None = None

    def _change(self) -> None:
        if self.left is not None:
            if self.left <= 0:
                raise Stopped
            self.left -= 1

    def rename(self, source: str, target: str) -> None:
        if "/t-0/" in source:
            self._change()
        super().rename(source, target)

    def remove(self, path: str) -> None:
        if "/t-0/" in path and self.exists(path):
            self._change()
        super().remove(path)

    def open(self, path: str, *, create: bool = False) -> File:
        if create and not self.exists(path) and "/t-0/" in path:
            self._change()
        return super().open(path, create=create)


CONFIG: dict[str, Any] = {"internal.segment.bytes": 1000}


def _prepared(lab: Lab) -> Cleaning:
    """A log whose first segments are so small that they become one, with more than one group."""
    lab.disk = StoppingDisk()
    cleaning = Cleaning(lab, CONFIG)
    log = cleaning.log()
    cleaning.write(log, "aaabaacaab", size=60)
    log.config = LogConfig(cleaning.config | {"internal.segment.bytes": 300})
    cleaning.write(log, "abcabcabdxyz", size=150)
    log.config = LogConfig(cleaning.config)
    return cleaning


def _names(disk: MemoryDisk) -> list[str]:
    return disk.list_directory(DIR)


def _restarted(lab: Lab) -> tuple[str, str]:
    """What a consumer reads after a start, which must leave no files of unfinished work, and after one pass more."""
    again = Cleaning(lab, CONFIG)
    log = again.log()
    assert not [name for name in _names(lab.disk) if name.endswith((".cleaned", ".swap", ".deleted"))]
    expected = 0
    for segment in log.segments:
        for batch in records.batches(bytes(segment.peek(0, segment.size))):
            records.validate_batch(batch.view)
            assert batch.base_offset >= expected, "segments overlap"
            expected = batch.next_offset
    assert log.log_end_offset == 22
    found = keys(log)
    again.pass_over()
    complete = keys(log)
    again.dirs.close()
    return found, complete


def test_a_stop_at_every_point(lab: Lab) -> None:
    cleaning = _prepared(lab)
    before = keys(cleaning.log())
    assert before == "aaabaacaababcabcabdxyz"
    cleaning.pass_over()
    after = keys(cleaning.log())
    stops, readings = 0, set()
    while True:
        lab = Lab()
        cleaning = _prepared(lab)
        disk = lab.disk
        disk.left = stops
        try:
            cleaning.pass_over()
        except Stopped:
            pass
        finished, disk.left = disk.left > 0, None
        disk._locked.clear()
        found, complete = _restarted(lab)
        readings.add(found)
        # Every state is the old log with some groups of segments compacted: nothing that matters is missing.
        assert complete == after
        assert len(after) <= len(found) <= len(before)
        stops += 1
        if finished:
            break
    assert stops > 60, "a pass over several groups has more points than that"
    assert {before, after} < readings


def _file(disk: MemoryDisk, name: str, data: bytes = b"") -> None:
    disk.write_atomic(f"{DIR}/{name}", data)


def _batch(lab: Lab, base: int, count: int = 1) -> bytes:
    data = lab.batch(count)
    records.place(data, base, 0)
    return bytes(data)


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (["0.log", "5.log", "9.log"], ["0.log", "5.log", "9.log"]),
        (["0.log", "0.log.cleaned", "0.index.cleaned"], ["0.log"]),
        (["0.log", "0.log.swap", "0.index.cleaned"], ["0.log"]),
        (["0.log", "5.log", "0.log.swap", "0.index.swap"], ["0.index", "0.log"]),
        (["5.log", "0.log.swap", "0.index.swap", "0.log.deleted"], ["0.index", "0.log"]),
        (["0.log", "0.index.swap", "9.log"], ["0.index", "0.log", "9.log"]),
        (["0.log", "5.log", "9.log", "0.log.swap", "9.log.cleaned"], ["0.log", "9.log"]),
        (["0.log", "9.log", "9.log.swap", "5.log.cleaned"], ["0.log", "9.log"]),
        (["0.snapshot", "5.snapshot", "9.snapshot", "0.log.swap", "9.log"], ["0.log", "9.log", "9.snapshot"]),
        (["leader-epoch-checkpoint", "0.log.swap"], ["0.log", "leader-epoch-checkpoint"]),
    ],
    ids=["nothing", "cleaned", "half swap", "swap", "half replaced", "log renamed", "next group", "split", "snapshots",
         "others"],
)  # fmt: skip
def test_what_a_start_makes_of_the_files(lab: Lab, names: list[str], left: list[str]) -> None:
    def full(name: str) -> str:
        return f"{int(name[0]):020d}{name[1:]}" if name[0].isdigit() else name

    disk = lab.disk
    disk.make_directory(DIR)
    for name in names:
        data = b"old"
        if name == "0.log.swap":
            data = _batch(lab, 0) + _batch(lab, 2, 5)  # up to offset 6
        elif name.endswith(".log.swap"):
            data = _batch(lab, int(name[0]))
        _file(disk, full(name), data)
    found = finish_swaps(disk, DIR, disk.list_directory(DIR))
    assert found == disk.list_directory(DIR) == sorted(full(name) for name in left)
    if "0.log.swap" in names and "0.index.cleaned" not in names:
        assert disk.size(f"{DIR}/{full('0.log')}") > 3, "the cleaned segment, not the old one"


def test_a_swap_that_crashed_is_read_by_a_start(lab: Lab) -> None:
    cleaning = Cleaning(lab)
    log = cleaning.log()
    cleaning.write(log, "aabb")
    segment = log.segments[0]
    data = bytes(segment.peek(0, segment.size))
    last = [bytes(batch.view) for batch in records.batches(data)][-1]
    cleaning.dirs.close()
    stem = f"{DIR}/{0:020d}"
    lab.disk.write_atomic(f"{stem}.log.swap", last)
    lab.disk.write_atomic(f"{stem}.index.swap", b"")
    lab.disk.write_atomic(f"{stem}.timeindex.swap", b"")
    again = Cleaning(lab)
    assert keys(again.log()) == "bb"
    assert again.log().topic_id == TOPIC_ID
