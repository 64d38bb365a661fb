"""`klamm log repair`: what is damaged goes aside, nothing is lost, and the directory is sound behind it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from klamm.cli.main import main
from klamm.log import checkpoint
from klamm.log.disk import RealDisk
from tests.log.data_directory import flip, logs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run_one(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
        status = main(["log", *map(str, arguments)])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run_one


def contents(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def steps(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(r["action"], r["file"].rpartition("/")[2]) for r in rows if r["fact"] == "step"]


def offsets(run: Any, data: Path) -> set[int]:
    _, facts = run("dump", "--json", "--deep-iteration", data / "t-0")
    return {fact["offset"] for fact in facts if fact["fact"] == "record" and fact["file"].endswith(".log")}


def test_a_sound_directory_is_left_alone(data: Path, run: Any) -> None:
    before = contents(data)
    status, rows = run("repair", "--json", "--deep", data)
    assert (status, steps(rows)) == (0, [])
    assert contents(data) == before


def test_a_damaged_batch_ends_the_log(data: Path, run: Any) -> None:
    everything = offsets(run, data)
    _, second, third = logs(data)
    damaged = second.read_bytes()
    flip(second, 700)
    damaged = second.read_bytes()
    status, planned = run("repair", "--json", "--dry-run", data)
    assert status == 0 and second.read_bytes() == damaged
    status, rows = run("repair", "--json", data)
    assert status == 0
    assert steps(rows) == steps(planned)
    cut = next(r for r in rows if r.get("action") == "move_bytes")
    aside = Path(cut["quarantine"])
    assert second.read_bytes() + aside.read_bytes() == damaged
    assert not third.exists() and third.with_name(third.name + ".quarantine").exists()
    assert run("verify", "--json", "--deep", data)[0] == 0
    left = offsets(run, data)
    assert left == set(range(max(left) + 1)) and left < everything
    points = checkpoint.read_offsets(RealDisk(), str(data / checkpoint.RECOVERY_POINT))
    assert points["t", 0] == max(left) + 1
    before = contents(data)
    assert steps(run("repair", "--json", data)[1]) == []
    assert contents(data) == before, "a second repair has nothing to do"


def test_the_rest_can_be_saved(data: Path, run: Any) -> None:
    everything = offsets(run, data)
    second = logs(data)[1]
    flip(second, 700)
    flip(second, 1900)
    damaged = second.read_bytes()
    status, rows = run("repair", "--json", "--drop-damaged-batches", data)
    assert status == 0
    aside = [Path(r["quarantine"]) for r in rows if r.get("action") == "move_bytes"]
    assert len(aside) == 2
    assert second.stat().st_size + sum(p.stat().st_size for p in aside) == len(damaged)
    for path in aside:
        begin, end = (int(n) for n in path.name.split(".")[2].split("-"))
        assert path.read_bytes() == damaged[begin:end]
    assert run("verify", "--json", "--deep", data)[0] == 0
    left = offsets(run, data)
    assert max(left) == max(everything) and 2 <= len(everything - left) <= 8


def test_derived_files_are_made_as_they_were(data: Path, run: Any) -> None:
    before = contents(data / "t-0")
    for suffix in ("index", "timeindex", "txnindex", "snapshot"):
        path = sorted((data / "t-0").glob(f"*.{suffix}"))[-1]
        flip(path, path.stat().st_size // 2)
    (data / "t-0" / "leader-epoch-checkpoint").write_text("nonsense")
    (data / "t-0" / "partition.metadata").write_text("nonsense")
    assert run("repair", "--json", data)[0] == 0
    after = {n: d for n, d in contents(data / "t-0").items() if not n.endswith(".quarantine")}
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] != before[name] and not name.endswith(".snapshot")] == []


def test_checkpoints(data: Path, run: Any) -> None:
    end = checkpoint.read_offsets(RealDisk(), str(data / checkpoint.RECOVERY_POINT))["t", 0]
    (data / checkpoint.RECOVERY_POINT).write_text("0\n2\nt 0 99999\n__cluster_metadata 0 4\n")
    (data / checkpoint.HIGH_WATERMARK).write_text("0\n7\nt 0 5\ngarbage\n")
    (data / checkpoint.LOG_START_OFFSET).write_text("0\n1\nt 0 99999\n")
    size = sum(p.stat().st_size for p in logs(data))
    assert run("repair", "--json", data)[0] == 0
    read = {n: checkpoint.read_offsets(RealDisk(), str(data / n)) for n in
            (checkpoint.RECOVERY_POINT, checkpoint.HIGH_WATERMARK, checkpoint.LOG_START_OFFSET)}  # fmt: skip
    assert read[checkpoint.RECOVERY_POINT] == {("t", 0): end, ("__cluster_metadata", 0): 4}
    assert read[checkpoint.HIGH_WATERMARK] == {("t", 0): 5}
    assert read[checkpoint.LOG_START_OFFSET] == {}
    assert sum(p.stat().st_size for p in logs(data)) == size
    assert (data / f"{checkpoint.HIGH_WATERMARK}.quarantine").read_text().endswith("garbage\n")


def test_metadata_is_not_given_up_unasked(data: Path, run: Any) -> None:
    path = data / "__cluster_metadata-0" / "00000000000000000000.log"
    flip(path, 70)
    damaged = path.read_bytes()
    status, rows = run("repair", "--json", data)
    assert status == 1 and ("leave", "__cluster_metadata-0") in steps(rows)
    assert path.read_bytes() == damaged
    status, rows = run("repair", "--json", "--cut-metadata", data)
    assert path.stat().st_size == 0 and any(r.get("quarantine") for r in rows)


def test_the_metadata_s_small_files(data: Path, run: Any) -> None:
    directory = data / "__cluster_metadata-0"
    (directory / "quorum-state").write_text("{")
    flip(data / "bootstrap.checkpoint", 70)
    status, rows = run("repair", "--json", data)
    assert status == 0
    assert {("write", "quorum-state"), ("move_file", "bootstrap.checkpoint")} <= set(steps(rows))
    state = json.loads((directory / "quorum-state").read_text())
    assert (state["leaderEpoch"], state["leaderId"], state["votedId"]) == (1, -1, -1)
    assert run("verify", "--json", data)[0] == 0


def test_one_partition_by_itself(data: Path, run: Any) -> None:
    flip(logs(data)[0], 300)
    metadata = contents(data / "__cluster_metadata-0")
    assert run("repair", "--json", "--drop-damaged-batches", data / "t-0")[0] == 0
    assert run("verify", "--json", data / "t-0")[0] == 0
    assert contents(data / "__cluster_metadata-0") == metadata


def test_a_directory_in_use_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(logs(data)[0], 300)
    code = "import sys; from klamm.log.disk import RealDisk; lock = RealDisk().lock(sys.argv[1]); print(1, flush=True)"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{code}; sys.stdin.read()", str(data / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        holder.stdout.readline()
        before = contents(data)
        for path in (data, data / "t-0"):
            assert main(["log", "repair", str(path)]) == 2
            assert "stop it first" in capsys.readouterr().err
        assert contents(data) == before
        assert main(["log", "verify", "--json", str(data)]) == 1, "looking is allowed"
        assert any(json.loads(x).get("code") == "in_use" for x in capsys.readouterr().out.splitlines())
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()
    assert main(["log", "repair", str(data / "missing")]) == 2


@pytest.mark.parametrize("seed", range(25))
def test_any_damage(data: Path, run: Any, seed: int) -> None:
    """Bytes of any files of the partition changed, cut or added: sound afterwards, and no byte of a segment gone."""
    chance = random.Random(seed)
    for path in chance.sample(sorted((data / "t-0").iterdir()), 3):
        changed = bytearray(path.read_bytes())
        how = chance.randrange(3)
        if how == 0:
            flip(path, chance.randrange(len(changed)), 1 << chance.randrange(8))
        elif how == 1:
            path.write_bytes(changed[: chance.randrange(len(changed))])
        else:
            path.write_bytes(changed + chance.randbytes(chance.randrange(1, 90)))
    before = {path.name: path.read_bytes() for path in logs(data)}
    extra = ["--drop-damaged-batches"] if seed % 2 else []
    rows = run("repair", "--json", "--deep", *extra, data)[1]
    findings = run("verify", "--json", "--deep", data)[1]
    mended = [r for r in findings if r["fact"] == "finding" and r["severity"] != "info" and r["code"] != "other_topic"]
    assert mended == [], rows
    size = sum(len(whole) for whole in before.values())
    kept = sum(p.stat().st_size for p in (data / "t-0").glob("*.log*") if p.suffix in (".log", ".quarantine"))
    assert kept == size


def test_a_leader_epoch_is_set_right(data: Path, run: Any) -> None:
    path = logs(data)[1]
    before = path.read_bytes()
    flip(path, 12, 4)
    status, rows = run("repair", "--json", data)
    assert status == 0
    assert ("write", path.name) in steps(rows) and path.read_bytes() == before


def test_a_log_of_which_nothing_is_left(data: Path, run: Any) -> None:
    flip(logs(data)[0], 11, 0x10)
    everything = sum(p.stat().st_size for p in logs(data))
    assert run("repair", "--json", data)[0] == 0
    assert run("verify", "--json", "--deep", data)[0] == 0
    assert [p.stat().st_size for p in logs(data)] == [0]
    assert sum(p.stat().st_size for p in (data / "t-0").glob("*.log.*quarantine")) == everything
