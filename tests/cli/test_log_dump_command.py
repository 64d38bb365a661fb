"""`klamm log dump`: files by their kinds, decoders by directory and by option, damage in the exit status."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from klamm.cli.main import main
from klamm.kproto import records
from klamm.kproto.group_records import OffsetCommitKey, OffsetCommitValue
from klamm.kproto.records import Record

TIME = 1_700_000_000_000


def segment(directory: Path, *batches: bytes, base: int = 0) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / f"{base:020d}.log"
    path.write_bytes(b"".join(batches))
    return path


def batch(first: int, count: int, **settings: Any) -> bytes:
    rows = [Record(first + i, TIME + first + i, b"k%d" % i, b"v%d" % i, (("h", b"x"),)) for i in range(count)]
    return records.build_batch(rows, **settings)


def dump(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and facts."""
    status = main(["log", "dump", "--json", *map(str, arguments)])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def kinds(facts: list[dict[str, Any]]) -> list[str]:
    return [fact["fact"] for fact in facts]


def test_a_segment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = segment(tmp_path / "t-0", batch(0, 3), batch(3, 2, compression=4, partition_leader_epoch=7))
    status, facts = dump(capsys, path)
    assert status == 0
    assert kinds(facts) == ["file", "log_start", "batch", "batch"]
    assert {f["file"] for f in facts} == {str(path)}
    last = facts[-1]
    assert (last["base_offset"], last["last_offset"], last["count"], last["compression"]) == (3, 4, 2, "zstd")
    assert (last["partition_leader_epoch"], last["is_valid"], last["max_timestamp"]) == (7, True, TIME + 4)
    assert dump(capsys, "--deep-iteration", path)[1][3].keys() & {"key", "value"} == set()
    record = dump(capsys, "--print-data-log", path)[1][4]
    assert (record["offset"], record["key"], record["value"], record["headers"]) == (1, "k1", "v1", [["h", "x"]])
    bare = dump(capsys, "--print-data-log", "--skip-record-metadata", path)[1][4]
    assert "timestamp" not in bare and bare["value"] == "v1"
    assert kinds(dump(capsys, "--max-bytes", len(batch(0, 3)) + 5, path)[1]) == ["file", "log_start", "batch"]


def test_bytes_that_are_no_text_stand_beside_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = segment(tmp_path / "t-0", records.build_batch([Record(0, TIME, None, b"\xff\x00")]))
    record = dump(capsys, "--print-data-log", path)[1][-1]
    assert (record["key"], record["value"], record["value_base64"]) == (None, "\ufffd\0", "/wA=")


def offsets_batch(first: int) -> bytes:
    key = struct.pack(">h", 1) + OffsetCommitKey(group="g", topic="t", partition=3).encode(0)
    value = struct.pack(">h", 4) + OffsetCommitValue(offset=42, metadata="", commit_timestamp=TIME).encode(4)
    rows = [
        Record(first, TIME, key, value),
        Record(first + 1, TIME, key, None),
        Record(first + 2, TIME, b"\0\x63", b""),
    ]
    return records.build_batch(rows)


def test_decoders_by_directory_and_by_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = segment(tmp_path / "__consumer_offsets-12", offsets_batch(0))
    status, facts = dump(capsys, path)
    assert status == 0
    assert (facts[1]["decoder"], facts[1]["decoder_from"]) == ("offsets", "directory")
    commit, tombstone, unknown = facts[3:]
    assert commit["key"] == {"type": 1, "name": "OffsetCommit", "data": {"group": "g", "topic": "t", "partition": 3}}
    assert commit["value"]["version"] == 4 and commit["value"]["data"]["offset"] == 42
    assert tombstone["value"] is None and tombstone["key"] == commit["key"]
    assert unknown["error"] == "unknown record type 99"
    assert kinds(dump(capsys, "--no-decoder", path)[1]) == ["file", "log_start", "batch"]
    elsewhere = segment(tmp_path / "moved", offsets_batch(0))
    facts = dump(capsys, "--offsets-decoder", elsewhere)[1]
    assert facts[1]["decoder_from"] == "option" and facts[3]["key"] == commit["key"]
    facts = dump(capsys, "--transaction-log-decoder", elsewhere)[1]
    assert facts[3]["error"] == "unknown record type 1"


def test_damage_is_told_and_the_rest_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = batch(0, 3), bytearray(batch(3, 2)), batch(5, 1)
    second[-1] ^= 1
    path = segment(tmp_path / "t-0", first, bytes(second), third, third[:40])
    status, facts = dump(capsys, path)
    assert status == 1
    assert [f["is_valid"] for f in facts if f["fact"] == "batch"] == [True, False, True]
    assert "CRC" in next(f for f in facts if f["fact"] == "batch" and not f["is_valid"])["message"]
    assert (facts[-1]["fact"], facts[-1]["size"]) == ("trailing_bytes", 40)
    path.write_bytes(first + bytes(100))
    status, facts = dump(capsys, path)
    assert status == 1 and facts[-1]["fact"] == "damage" and facts[-1]["position"] == len(first)


def test_an_unknown_compression_type_is_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether the records are asked for or not; what stands behind it is told all the same."""
    bad = bytearray(batch(0, 3))
    bad[records.ATTRIBUTES_AT + 1] = 5
    path = segment(tmp_path / "t-0", bytes(bad), batch(3, 2))
    for options in ([], ["--deep-iteration"], ["--print-data-log"]):
        status, facts = dump(capsys, *options, path)
        damages = [fact for fact in facts if fact["fact"] == "damage"]
        assert status == 1 and [fact["message"] for fact in damages] == ["the compression type 5 is unknown"]
        assert [fact["base_offset"] for fact in facts if fact["fact"] == "batch"] == [0, 3]


def test_zeros_within_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are taken for its end: what follows is told, for lookups in that index may meet it."""
    first = batch(0, 3)
    path = segment(tmp_path / "t-0", first, batch(3, 2))
    index, times = path.with_suffix(".index"), path.with_suffix(".timeindex")
    index.write_bytes(struct.pack(">ii", 4, len(first)) + struct.pack(">ii", 0, 7) + bytes(80))
    times.write_bytes(struct.pack(">qi", TIME + 2, 2) + bytes(12) + struct.pack(">qi", TIME + 4, 4))
    for options in ([], ["--verify-index-only"]):
        status, facts = dump(capsys, *options, index, times)
        assert status == 1
        found = [(Path(f["file"]).suffix, f["position"]) for f in facts if f["fact"] == "damage"]
        assert found == [(".index", 8), (".timeindex", 12)]


def test_indexes_are_held_against_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = batch(0, 3)
    path = segment(tmp_path / "t-0", first, batch(3, 2))
    index, times = path.with_suffix(".index"), path.with_suffix(".timeindex")
    index.write_bytes(struct.pack(">ii", 4, len(first)) + bytes(80))
    times.write_bytes(struct.pack(">qi", TIME + 2, 2) + struct.pack(">qi", TIME + 4, 4) + bytes(120))
    status, facts = dump(capsys, index, times)
    assert status == 0
    assert [(f["offset"], f["position"]) for f in facts if f["fact"] == "index_entry"] == [(4, len(first))]
    assert [f["offset"] for f in facts if f["fact"] == "time_index_entry"] == [2, 4]
    index.write_bytes(struct.pack(">ii", 3, len(first)))
    times.write_bytes(struct.pack(">qi", TIME + 1, 2) + struct.pack(">qi", TIME, 4) + struct.pack(">qi", TIME + 9, 3))
    status, facts = dump(capsys, "--verify-index-only", index, times)
    assert status == 1
    assert kinds(facts) == [
        "file",
        "index_mismatch",
        "file",
        "time_index_mismatch",
        "time_index_mismatch",
        "time_index_out_of_order",
        "time_index_offset_not_found",
    ]
    index.write_bytes(struct.pack(">ii", -3, 0))
    status, facts = dump(capsys, "--index-sanity-check", index, times)
    assert status == 1
    assert [f["is_sane"] for f in facts if f["fact"] == "sanity"] == [False, True]


def test_a_directory_with_small_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment(tmp_path / "t-0", batch(0, 1))
    (tmp_path / "meta.properties").write_text(
        "version=1\nnode.id=3\ncluster.id=c\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAA\n"
    )
    (tmp_path / "recovery-point-offset-checkpoint").write_text("0\n1\nt 0 1\n")
    (tmp_path / "t-0" / "leader-epoch-checkpoint").write_text("0\n2\n0 0\n4 1\n")
    (tmp_path / "t-0" / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ")
    (tmp_path / "t-0" / "00000000000000000001.snapshot").write_bytes(b"\0\1broken")
    (tmp_path / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":5}')
    (tmp_path / "unrelated").write_text("")
    status, facts = dump(capsys, tmp_path)
    assert status == 1
    told = {f["fact"]: f for f in facts}
    assert told["meta_properties"]["node_id"] == 3
    assert (told["checkpoint"]["topic"], told["checkpoint"]["offset"]) == ("t", 1)
    assert [f["epoch"] for f in facts if f["fact"] == "leader_epoch"] == [0, 4]
    assert told["partition_metadata"]["topic_id"] == "AAAAAAAAAAAAAAAAAAAAAQ"
    assert told["clean_shutdown"]["data"] == {"version": 0, "brokerEpoch": 5}
    assert [f["file"].rpartition("/")[2] for f in facts if f["fact"] == "damage"] == ["00000000000000000001.snapshot"]


def test_lines_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = segment(tmp_path / "t-0", batch(0, 2))
    assert main(["log", "dump", "--print-data-log", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"{path}  (log, " in out
    assert "batch 0-1  at 0" in out and "| 1  2023-11-14T22:13:20.001Z" in out and 'key: "k1"  value: "v1"' in out


def test_what_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = tmp_path / "notes.txt"
    odd.write_text("")
    for arguments in ([], [str(odd)], [str(tmp_path / "missing")], [str(tmp_path)]):
        assert main(["log", "dump", *arguments]) == 2
        assert capsys.readouterr().err.startswith("klamm: ")
    assert main(["log", "dump", "--value-decoder-class", "com.example.Mine", str(odd)]) == 2


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    one = batch(0, 1, max_timestamp=TIME)
    path = tmp_path / "t-0" / "00000000000000000000.log"
    path.parent.mkdir()
    large = records.build_batch([Record(0, TIME, None, bytes(100_000))])
    code = (
        "import resource, sys; from klamm.cli.main import main; main(['log', 'dump', '--json', sys.argv[1]]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    peaks = []
    for count in (1, 1000):
        with path.open("wb") as file:  # not in one piece: a child's peak counts what its parent held at the fork
            file.write(one)
            for _ in range(count):
                file.write(large)
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert done.stdout.count('"batch"') == count + 1
        peaks.append(int(done.stderr))
    assert peaks[1] - peaks[0] < 8000, "kilobytes for a file that is 100 MB larger"


def test_a_broker_does_not_import_the_tools() -> None:
    code = (
        "import json, sys, klamm.cli.start, klamm.server.node;"
        "print(json.dumps([name for name in sys.modules if name.startswith('klamm.')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tools = ("klamm.log.dump", "klamm.log.verify", "klamm.log.repair", "klamm.cli.log", "klamm.kproto.record_decoders")
    assert [n for n in json.loads(done.stdout) if n.startswith(tools) and n != "klamm.cli.logs"] == []
