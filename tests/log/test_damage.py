"""Damaged logs with Kafka's own answers (tests/data/damage): what klamm recovers is equal, or known to be otherwise."""

from __future__ import annotations

import base64
import json
import lzma
import struct
from pathlib import Path
from typing import Any

import pytest

from klamm.log import producer_snapshot, recovery, upkeep
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.log_config import LogConfig
from tests.log.conftest import Lab

CORPUS = Path(__file__).parents[1] / "data" / "damage" / "corpus.jsonl.xz"
DIRECTORY = "/data/d-0"
LINES = lzma.decompress(CORPUS.read_bytes()).decode().splitlines()
SETTINGS = json.loads(LINES[0])["settings"]
ROWS = [json.loads(line) for line in LINES[1:]]


def filled(row: dict[str, Any]) -> Lab:
    lab = Lab()
    lab.disk.make_directory(DIRECTORY)
    for name, (data, size) in row["files"].items():
        lab.disk.write_atomic(f"{DIRECTORY}/{name}", base64.b64decode(data).ljust(size, b"\0"))
    return lab


def opened(lab: Lab, row: dict[str, Any]) -> dict[str, Any]:
    """What klamm makes of the copy: offsets, and the files after the close."""
    log_dir = lab.log_dir()
    log_dir.producer_id_expiration_ms = 1 << 60
    try:
        log = recovery.open_log(
            log_dir,
            DIRECTORY,
            "d",
            0,
            LogConfig(SETTINGS),
            is_clean=row["is_clean"],
            recovery_point=row["recovery_point"],
            log_start_offset=row["log_start"],
        )
    except OSError:
        return {"refused": True}
    recovery_point = log.recovery_point
    log.update_high_watermark(log.log_end_offset)
    offsets = [log.log_start_offset, log.log_end_offset, log.last_stable_offset, recovery_point]
    upkeep.close(log)
    return {"offsets": offsets, **facts(lab)}


def facts(lab: Lab) -> dict[str, Any]:
    told: dict[str, Any] = {"log": {}, "index": {}, "timeindex": {}, "txnindex": {}, "snapshots": {}, "epochs": []}
    forms = {"index": ">ii", "timeindex": ">qi", "txnindex": ">hqqqq"}
    for name in lab.disk.list_directory(DIRECTORY):
        stem, _, kind = name.partition(".")
        data = lab.disk.read(f"{DIRECTORY}/{name}")
        if name == "leader-epoch-checkpoint":
            told["epochs"] = [list(row) for row in LeaderEpochs.decode(data).entries()]
        elif len(stem) != 20 or not stem.isdigit():
            continue
        elif kind == "log":
            told["log"][str(int(stem))] = base64.b64encode(data).decode()
        elif kind in forms and data:
            told[kind][str(int(stem))] = [row[1:] if kind == "txnindex" else row for row in rows(forms[kind], data)]
        elif kind == "snapshot" and (producers := _producers(data)):
            told["snapshots"][str(int(stem))] = producers
    return told


def rows(form: str, data: bytes) -> list[list[int]]:
    """The entries; those of zeros at the end of an index as one [-1, minus their number]."""
    size = struct.calcsize(form)
    count = len(data) // size
    used = count if "h" in form else -(-len(data[: count * size].rstrip(b"\0")) // size)
    found = [list(row) for row in struct.iter_unpack(form, data[: used * size])]
    return [*found, [-1, used - count]] if used < count else found


def _producers(data: bytes) -> dict[str, list[int]] | str:
    try:
        entries = producer_snapshot.decode(data)
    except producer_snapshot.CorruptSnapshot:
        return "corrupt"  # of a segment that nobody had to look at
    return {str(entry.producer_id): list(producer_snapshot.row(entry)[1:]) for entry in entries}


@pytest.mark.parametrize("row", ROWS, ids=[row["label"] for row in ROWS])
def test_what_kafka_makes_of_it(row: dict[str, Any]) -> None:
    assert opened(filled(row), row) == row.get("klamm", row["kafka"])


def test_most_of_it_is_equal() -> None:
    equal = [row for row in ROWS if "klamm" not in row]
    assert len(ROWS) > 100 and len(equal) > len(ROWS) // 2
    assert all(row["reasons"] for row in ROWS if "klamm" in row)


@pytest.mark.parametrize("row", ROWS, ids=[row["label"] for row in ROWS])
def test_a_second_start_finds_the_same(row: dict[str, Any]) -> None:
    lab = filled(row)
    first = opened(lab, row)
    if "refused" not in first:
        start, end, *_ = first["offsets"]
        again = opened(lab, {**row, "is_clean": True, "recovery_point": end, "log_start": start})
        assert again["offsets"][:3] == first["offsets"][:3]
        assert (again["log"], again["epochs"]) == (first["log"], first["epochs"])
