"""What `klamm log verify` finds: nothing in a sound directory, and each kind of damage where it is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from klamm.kproto.records import build_batch
from klamm.log.disk import ReadOnlyDisk
from klamm.log.verify.directory_check import DirectoryChecked, check_directory
from klamm.log.verify.findings import ERROR, INFO, Finding
from klamm.metadata.storage_check import check_storage
from tests.log.data_directory import data_rows, flip, logs


def verify(path: Path, *more: Path, is_deep: bool = True) -> tuple[list[Finding], list[DirectoryChecked]]:
    found: list[Finding] = []
    disk = ReadOnlyDisk()
    checked = [check_directory(disk, str(p), found.append, is_deep=is_deep) for p in (path, *more)]
    check_storage(disk, checked, found.append)
    return found, checked


def bad(path: Path, *more: Path, is_deep: bool = True) -> list[Finding]:
    return [finding for finding in verify(path, *more, is_deep=is_deep)[0] if finding.severity != INFO]


def test_a_sound_directory(data: Path) -> None:
    found, checked = verify(data)
    assert found == []
    partition = checked[0].partitions["t-0"]
    assert len(partition.base_offsets) == 3
    assert sum(len(list((data / "t-0").glob(f"*.{suffix}"))) for suffix in ("index", "timeindex", "txnindex")) > 8
    assert not partition.needs_repair


def test_a_directory_that_was_killed(data: Path) -> None:
    (data / ".kafka_cleanshutdown").unlink()
    (data / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    last = logs(data)[-1]
    for suffix in (".index", ".timeindex"):
        with last.with_suffix(suffix).open("ab") as file:
            file.truncate(1200)  # preallocated
    assert bad(data) == []
    assert [f.code for f in verify(data)[0]] == ["unclean_stop"]


def test_an_unfinished_move(data: Path) -> None:
    """Checkpoints tell of the copy, by the name of the replica that it is to become."""
    (data / "t-0").rename(data / f"t-0.{'0' * 31}1-future")
    codes = {f.code for f in verify(data)[0]}
    assert "future_directory" in codes and "checkpoint_without_partition" not in codes


def test_a_corrupt_batch_in_the_midst(data: Path) -> None:
    path = logs(data)[1]
    flip(path, 120)
    findings = [f for f in bad(data) if f.file == str(path)]
    assert [(f.severity, f.code) for f in findings] == [(ERROR, "corrupt_batch")]
    assert "sound batches follow" in findings[0].message and "CORRUPT_MESSAGE" in findings[0].recovery
    damage = verify(data)[1][0].partitions["t-0"].damages[0]
    assert damage.position <= 120 < damage.end < path.stat().st_size and not damage.is_tail
    (data / ".kafka_cleanshutdown").unlink()
    (data / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    assert "are lost" in next(f for f in bad(data) if f.file == str(path)).recovery


def test_a_wrong_length_does_not_hide_what_follows(data: Path) -> None:
    path = logs(data)[0]
    flip(path, 11, 0x10)
    damages = verify(data)[1][0].partitions["t-0"].damages
    assert len(damages) == 1 and damages[0].position == 0 and not damages[0].is_tail
    first = struct.unpack_from(">i", path.read_bytes(), 8)[0] ^ 0x10
    assert damages[0].end == first + 12, "the batch behind it is found again"


def test_a_torn_and_a_garbage_tail(data: Path) -> None:
    path = logs(data)[-1]
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert any(f.code == "torn_batch" and f.file == str(path) for f in bad(data))
    path.write_bytes(whole + b"\x07" * 50)
    found = [f for f in bad(data) if f.file == str(path)]
    assert [f.code for f in found] == ["torn_batch"] and found[0].position == len(whole)
    path.write_bytes(whole + bytes(5000))
    assert bad(data) == []
    assert any(f.code == "preallocated" for f in verify(data)[0])


def test_records_that_cannot_be_read_are_found_by_deep_only(data: Path) -> None:
    rows = data_rows(0, 3)
    batch = bytearray(build_batch(rows, compression=4))
    path = data / "u-0" / "00000000000000000000.log"
    path.parent.mkdir()
    from klamm.kproto import records

    batch[70] ^= 0xFF
    struct.pack_into(">I", batch, records.CRC_AT, records.crc32c(bytes(batch[records.ATTRIBUTES_AT :])))
    path.write_bytes(batch)
    assert any(f.code == "unreadable_records" for f in bad(data))
    assert not any(f.code == "unreadable_records" for f in bad(data, is_deep=False))


def test_a_segment_that_is_missing_or_in_the_wrong_place(data: Path) -> None:
    first, second = logs(data)[:2]
    taken = second.read_bytes()
    second.write_bytes(first.read_bytes())
    assert {f.code for f in bad(data) if f.file == str(second)} == {"offset_out_of_order"}
    second.write_bytes(taken)
    first.write_bytes(first.read_bytes() + taken)
    assert "overlap" in {f.code for f in bad(data) if f.file == str(first)}


def index_row(data: Path, suffix: str, number: int, new: bytes, size: int) -> None:
    path = logs(data)[1].with_suffix(suffix)
    old = path.read_bytes()
    path.write_bytes(old[: number * size] + new + old[(number + 1) * size :])


INDEX_DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "position": ("index_mismatch", lambda d: index_row(d, ".index", 1, struct.pack(">ii", 9, 333), 8)),
    "zeros": ("index_mismatch", lambda d: index_row(d, ".index", 1, bytes(8), 8)),
    "offset": ("index_mismatch", lambda d: flip(logs(d)[1].with_suffix(".index"), 3)),
    "behind": ("index_beyond_log", lambda d: index_row(d, ".index", 2, struct.pack(">ii", 90, 1 << 20), 8)),
    "size": ("insane_index", lambda d: logs(d)[1].with_suffix(".index").write_bytes(b"\0\0\0\1")),
    "time": ("time_index_mismatch", lambda d: flip(logs(d)[1].with_suffix(".timeindex"), 7)),
    "time offset": ("time_index_mismatch", lambda d: flip(logs(d)[1].with_suffix(".timeindex"), 11, 2)),
    "gone": ("missing_index", lambda d: logs(d)[1].with_suffix(".index").unlink()),
    "end of time": ("time_index_incomplete", lambda d: cut(logs(d)[1].with_suffix(".timeindex"), 12)),
    "alone": ("index_without_segment", lambda d: (d / "t-0" / "00000000000000009999.index").write_bytes(b"")),
}


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:-size])


@pytest.mark.parametrize("what", INDEX_DAMAGE)
def test_indexes(data: Path, what: str) -> None:
    code, damage = INDEX_DAMAGE[what]
    damage(data)
    assert code in (codes := {f.code for f in bad(data)}) and codes <= {code, "index_mismatch"}
    assert verify(data)[1][0].partitions["t-0"].needs_repair


def test_aborted_transactions(data: Path) -> None:
    path = next(p for p in sorted((data / "t-0").glob("*.txnindex")))
    sound = path.read_bytes()
    for at in (9, 17, 25, 33):  # producer, first, last, last stable offset
        path.write_bytes(sound)
        flip(path, at)
        assert {f.code for f in bad(data)} == {"txn_index_mismatch"}, at
    path.write_bytes(sound[:-34])
    assert {f.code for f in bad(data)} == {"txn_index_mismatch"}
    path.write_bytes(sound[:-1])
    assert {f.code for f in bad(data)} == {"corrupt_txn_index"}


def test_producer_snapshots(data: Path) -> None:
    from klamm.kproto import records

    path = sorted((data / "t-0").glob("*.snapshot"))[-1]
    sound = path.read_bytes()
    flip(path, 30)
    assert {f.code for f in bad(data)} == {"corrupt_snapshot"}
    changed = bytearray(sound)
    changed[10 + 13] ^= 1  # the last sequence number of the first producer
    struct.pack_into(">I", changed, 2, records.crc32c(bytes(changed[6:])))
    path.write_bytes(changed)
    assert [(f.code, f.severity) for f in bad(data)] == [("snapshot_mismatch", ERROR)]
    path.write_bytes(sound)
    path.rename(path.with_name("00000000000000099999.snapshot"))
    assert {f.code for f in bad(data)} == {"snapshot_beyond_log"}


def test_leader_epochs(data: Path) -> None:
    path = data / "t-0" / "leader-epoch-checkpoint"
    lines = path.read_text().splitlines()
    assert lines[1] == "3"
    for code, content in (
        ("malformed_epochs", "0\n3\n0 0\n"),
        ("epochs_mismatch", f"0\n2\n{lines[2]}\n{lines[4]}\n"),
        ("epochs_mismatch", f"0\n3\n{lines[2]}\n1 5\n{lines[4]}\n"),
        ("epochs_beyond_log", "\n".join([lines[0], "4", *lines[2:], "9 99999", ""])),
    ):
        path.write_text(content)
        assert {f.code for f in bad(data)} == {code}, content
    path.unlink()
    assert {f.code for f in bad(data)} == {"missing_epochs"}


def test_checkpoints_and_identity(data: Path) -> None:
    (data / "recovery-point-offset-checkpoint").write_text("0\n2\nt 0 99999\nother 3 5\n")
    (data / "replication-offset-checkpoint").write_text("0\n1\nt zero 5\n")
    (data / "log-start-offset-checkpoint").write_text("0\n1\nt 0 99999\n")
    found, checked = verify(data)
    codes = [(f.code, f.severity) for f in found]
    assert ("malformed_checkpoint", ERROR) in codes
    assert ("checkpoint_beyond_log", ERROR) in codes, "a log start behind the end would have the log deleted"
    assert ("checkpoint_without_partition", INFO) in codes
    assert set(checked[0].lowered) == {"recovery-point-offset-checkpoint", "log-start-offset-checkpoint"}
    (data / "meta.properties").write_text("version=1\ncluster.id=c\n")
    (data / "nonsense").mkdir()
    assert {"malformed_meta_properties", "odd_directory"} <= {f.code for f in bad(data)}


def test_two_directories_of_one_node(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / ".kafka_cleanshutdown").write_text("{}")
    same = (data / "meta.properties").read_text()
    (other / "meta.properties").write_text(same)
    assert "same_directory_id" in {f.code for f in bad(data, other)}
    (other / "meta.properties").write_text(same.replace("node.id=1", "node.id=2"))
    assert "other_node" in {f.code for f in bad(data, other)}


def test_the_metadata(data: Path) -> None:
    directory = data / "__cluster_metadata-0"
    snapshot = next(directory.glob("*.checkpoint"))
    flip(snapshot, 100)
    assert {f.code for f in bad(data)} == {"bad_snapshot"}
    flip(snapshot, 100)
    quorum_state = directory / "quorum-state"
    kept = quorum_state.read_text()
    quorum_state.write_text(kept.replace('"leaderEpoch":1', '"leaderEpoch":0'))
    assert {f.code for f in bad(data)} == {"quorum_state_behind_log"}
    quorum_state.write_text("{")
    assert {f.code for f in bad(data)} == {"malformed_quorum_state"}
    quorum_state.write_text(kept)
    (data / "t-0").rename(data / "t-7")
    assert {"unknown_partition", "missing_partition"} <= {f.code for f in bad(data)}
    (data / "t-7").rename(data / "t-0")
    (data / "t-0" / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAg")
    assert {f.code for f in bad(data)} == {"other_topic"}


@pytest.mark.parametrize("place", ["first", "midst", "last of a segment"])
def test_a_leader_epoch_that_is_odd(data: Path, place: str) -> None:
    """Checksums do not cover it: the one batch is blamed, not all that follow."""
    path = logs(data)[1]
    size, positions, at = path.stat().st_size, [], 0
    whole = path.read_bytes()
    while at < size:
        positions.append(at)
        at += struct.unpack_from(">i", whole, at + 8)[0] + 12
    position = positions[{"first": 0, "midst": 3, "last of a segment": -1}[place]]
    for at in (12, 15):  # far too high, and a little off
        flip(path, position + at, 8)
        wrong = [f for f in bad(data) if f.code == "wrong_epoch"]
        assert [(f.file, f.position) for f in wrong] == [(str(path), position)]
        assert len(verify(data)[1][0].partitions["t-0"].wrong_epochs) == 1
        flip(path, position + at, 8)


def test_a_base_offset_that_is_odd(data: Path) -> None:
    """Nor do they cover the base offset: taken as it stands, all that follows would be out of order."""
    path = logs(data)[1]
    second = struct.unpack_from(">i", path.read_bytes(), 8)[0] + 12
    flip(path, second + 5, 1)
    partition = verify(data)[1][0].partitions["t-0"]
    assert [(d.position, d.is_tail) for d in partition.damages] == [(second, False)]
    assert {f.code for f in bad(data) if f.file == str(path)} <= {"offset_out_of_order", "overlap"}


def test_epochs_that_contradict_older_batches_of_a_killed_log(data: Path) -> None:
    (data / ".kafka_cleanshutdown").unlink()
    (data / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    path = data / "t-0" / "leader-epoch-checkpoint"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], lines[2].replace("0 ", "1 ", 1), *lines[3:], ""]))
    assert {f.code for f in bad(data)} == {"epochs_mismatch"}


def test_an_index_that_a_running_broker_has_not_written_yet(data: Path) -> None:
    """A roll has the indexes of the sealed segment written later; below the recovery point they are there."""
    (data / ".kafka_cleanshutdown").unlink()
    logs(data)[1].with_suffix(".index").unlink()

    def codes(recovery_point: int) -> list[str]:
        (data / "recovery-point-offset-checkpoint").write_text(f"0\n1\nt 0 {recovery_point}\n")
        found: list[Finding] = []
        check_directory(ReadOnlyDisk(), str(data), found.append, is_running=True)
        return [finding.code for finding in found if finding.severity != INFO]

    after = int(logs(data)[2].stem)
    assert (codes(after - 1), codes(after)) == ([], ["missing_index"])
