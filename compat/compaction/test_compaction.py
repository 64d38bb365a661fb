"""The comparison, short; and the proof that it can fail: what another cleaner would have left is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from compat.compaction.reading import differences
from compat.compaction.rounds import run
from klamm.kproto.records import Record, build_batch

Rows = list[Record]


def _write(directory: Path, rows: Rows, **fields: object) -> Path:
    directory.mkdir(parents=True)
    data = build_batch(rows, base_offset=0, last_offset=9, producer_id=5, producer_epoch=0, **fields)  # type: ignore[arg-type]
    (directory / "00000000000000000000.log").write_bytes(data)
    return directory


def _rows() -> Rows:
    return [Record(n, 1000 + n, b"k%d" % n, b"v") for n in (1, 4, 9)]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (lambda rows: rows[:-1], {}),
        (lambda rows: [rows[0]._replace(offset=2), *rows[1:]], {}),
        (lambda rows: [rows[0]._replace(value=None), *rows[1:]], {}),
        (lambda rows: [rows[0]._replace(timestamp=7), *rows[1:]], {}),
        (lambda rows: rows, {"base_sequence": 1}),
        (lambda rows: rows, {"delete_horizon_ms": 1000}),
        (lambda rows: rows, {"compression": 1}),
        (lambda rows: rows, {"partition_leader_epoch": 3}),
    ],
    ids=["lost", "moved", "emptied", "redated", "sequence", "horizon", "codec", "epoch"],
)
def test_another_result_is_found(change: Callable[[Rows], Rows], fields: dict[str, object], tmp_path: Path) -> None:
    right = _write(tmp_path / "right", _rows(), base_sequence=0)
    assert differences(_write(tmp_path / "same", _rows(), base_sequence=0), right) == []
    wrong = _write(tmp_path / "wrong", change(_rows()), **({"base_sequence": 0} | fields))
    assert differences(wrong, right)


def test_a_damaged_batch_and_a_forgotten_file_are_found(tmp_path: Path) -> None:
    right = _write(tmp_path / "right", _rows(), base_sequence=0)
    wrong = _write(tmp_path / "wrong", _rows(), base_sequence=0)
    (wrong / "00000000000000000000.log.cleaned").write_bytes(b"")
    assert "00000000000000000000.log.cleaned" in differences(wrong, right)[0]
    log = wrong / "00000000000000000000.log"
    log.write_bytes(log.read_bytes()[:-2] + b"w" + log.read_bytes()[-1:])
    assert "wrong CRC" in differences(wrong, right)[0]


@pytest.mark.needs("java", "mvn")
def test_the_same_is_left(tmp_path: Path) -> None:
    pytest.importorskip("confluent_kafka")
    rounds = run(tmp_path, records=40_000, jvm_options=("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"))
    for done in rounds:
        assert done.differences == []
        assert done.after.records < done.before.records * 0.75
    first, second, third = rounds
    assert first.after.horizons > 0 and first.before.horizons == 0
    assert second.after.empty_batches > 0
    assert third.after.control_batches < third.before.control_batches
