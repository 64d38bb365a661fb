"""A few cuts, and the proof that they can fail: a broker that answers before it syncs loses what it promised."""

from __future__ import annotations

import os
from pathlib import Path

import confluent_kafka
import pytest

from compat.power_cut import running
from compat.power_cut.recovery_point import make_value, parse_value
from compat.power_cut.volume import Volume, missing

SEED = int(os.environ.get("KLAMM_SIM_SEED", "1"))
needs_volume = pytest.mark.skipif(bool(missing()), reason=f"no power cuts here: {'; '.join(missing())}")


def test_values_tell_whether_they_are_whole() -> None:
    value = make_value(3, 1, 77)
    assert parse_value(value) == (3, 1, 77)
    assert parse_value(value[:-1]) is None and parse_value(b"x" + value[1:]) is None and parse_value(None) is None


@needs_volume
def test_a_cut_takes_what_is_not_synced(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume")
    try:
        for name in ("kept", "lost"):
            with open(volume.path / name, "wb") as file:
                file.write(name.encode() * 1000)
                if name == "kept":
                    file.flush()
                    os.fsync(file.fileno())
        volume.cut()
        with pytest.raises(OSError):
            (volume.path / "new").write_bytes(b"x")
        volume.remount()
        assert (volume.path / "kept").read_bytes() == b"kept" * 1000
        assert not (volume.path / "lost").exists() or (volume.path / "lost").read_bytes() != b"lost" * 1000
    finally:
        volume.remove()


@needs_volume
def test_what_was_answered_behind_a_sync_outlives_cuts(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    totals = running.run_synced("klamm", tmp_path / "run", 3, seed=SEED, rate=1500)
    assert totals["violations"] == []
    assert totals["acknowledged"] == totals["sent"] > 1500 and totals["topics_made"] > 5


@needs_volume
def test_what_the_recovery_point_vouches_for_outlives_cuts(tmp_path: Path) -> None:
    totals = running.run_recovery_point("klamm", tmp_path / "run", 3, seed=SEED)
    assert totals["violations"] == []
    assert totals["vouched_for"] > 2000


@needs_volume
def test_a_broker_that_does_not_sync_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its recovery point vouches for what no sync has written, as under `libeatmydata`."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.fsync = lambda fd: None\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    try:
        totals = running.run_recovery_point("klamm", tmp_path / "run", 2, seed=SEED)
    except (confluent_kafka.KafkaException, RuntimeError):
        return  # the topic itself, or all of the metadata, is gone
    assert totals["violations"]
