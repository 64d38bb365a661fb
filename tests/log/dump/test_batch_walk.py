"""The walk over the batches of a file: sound, damaged, torn, growing, and the search behind damage."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import records
from klamm.kproto.records import Record, build_batch
from klamm.log.disk import ReadOnlyDisk, RealFile
from klamm.log.dump import batch_walk
from klamm.log.dump.batch_walk import BatchAt, Unreadable, find_batch, walk

TIME = 1_700_000_000_000
DATA = Path(__file__).parents[2] / "data"


def batch(first: int, count: int, size: int = 50, **fields: Any) -> bytes:
    return build_batch([Record(first + n, TIME, b"k", bytes(size)) for n in range(count)], **fields)


def opened(tmp_path: Path, data: bytes) -> RealFile:
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(data)
    return ReadOnlyDisk().open(str(path))


@pytest.mark.parametrize("window_bytes", [100, 300, 1 << 20])
def test_every_batch_whatever_the_window(tmp_path: Path, window_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_walk, "_WINDOW_BYTES", window_bytes)
    parts = [batch(n * 3, 3, size=n * 7) for n in range(40)]
    file = opened(tmp_path, b"".join(parts))
    told: list[int] = []
    steps = list(walk(file, progress=told.append))
    assert told == [len(part) for part in parts]
    position = 0
    for step, part in zip(steps, parts, strict=True):
        assert isinstance(step, BatchAt)
        assert (step.position, bytes(step.batch.view), step.error) == (position, part, None)
        position += len(part)
    assert [s.position for s in walk(file, steps[5].position)] == [s.position for s in steps[5:]]
    file.close()


def test_old_versions(tmp_path: Path) -> None:
    """Message sets of versions 0 and 1, made by Kafka."""
    seen = set()
    for line in gzip.decompress((DATA / "batches.jsonl.gz").read_bytes()).splitlines():
        case = json.loads(line)
        if not case["valid"] or case["magic"] not in (0, 1):
            continue
        file = opened(tmp_path, bytes.fromhex(case["hex"]))
        steps = [step for step in walk(file) if isinstance(step, BatchAt)]
        assert [step.batch.last_offset for step in steps] == [b["last_offset"] for b in case["batches"]]
        assert all(step.error is None for step in steps)
        seen.add(case["magic"])
        file.close()
    assert seen == {0, 1}


def test_damage_is_told_and_passed(tmp_path: Path) -> None:
    first, second, third = batch(0, 2), bytearray(batch(2, 2)), batch(4, 1)
    second[80] ^= 1
    file = opened(tmp_path, first + bytes(second) + third + third[:30])
    steps = list(walk(file))
    assert [isinstance(step, BatchAt) and step.error is None for step in steps] == [True, False, True, False]
    torn = steps[-1]
    assert isinstance(torn, Unreadable) and torn.is_torn and torn.size_bytes == 30
    file.close()
    file = opened(tmp_path, first + bytes(60))
    last = list(walk(file))[-1]
    assert isinstance(last, Unreadable) and not last.is_torn and last.position == len(first)
    file.close()


def test_a_file_that_grows_is_read_on(tmp_path: Path) -> None:
    first, second = batch(0, 2), batch(2, 2)
    file = opened(tmp_path, first + second[:40])
    steps = walk(file)
    assert next(steps).position == 0
    Path(file.path).write_bytes(first + second)
    step = next(steps)
    assert isinstance(step, BatchAt) and step.error is None and step.position == len(first)
    assert list(steps) == []
    file.close()


def test_a_length_that_says_too_much_costs_nothing(tmp_path: Path) -> None:
    data = bytearray(batch(0, 1))
    data[records.BATCH_LENGTH_AT] = 0x7F
    file = opened(tmp_path, bytes(data))
    assert [isinstance(step, Unreadable) for step in walk(file)] == [True]
    file.close()


@pytest.mark.parametrize("window_bytes", [200, 1 << 20])
def test_the_next_sound_batch_is_found(tmp_path: Path, window_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_walk, "_WINDOW_BYTES", window_bytes)
    rubbish = random.Random(3).randbytes(700) + b"\2" * 100
    later, earlier = batch(50, 2), batch(3, 1)
    file = opened(tmp_path, rubbish + earlier + later)
    end = file.size()
    assert find_batch(file, 0, end, 10, 99) == len(rubbish) + len(earlier), "one of offsets before is none"
    assert find_batch(file, 0, end, 0, 99) == len(rubbish)
    assert find_batch(file, 0, end, 60, 99) is None
    assert find_batch(file, len(rubbish) + 1, end - 1, 0, 99) is None, "a cut one is none"
    file.close()
