"""Directories: locks, identity, loading, checkpoints, deletes, failures."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.log import log_dirs, upkeep
from klamm.log.disk import RealDisk
from klamm.log.io_thread import DeferredIo, ThreadIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import LogDirError
from klamm.log.log_dirs import LogDirs
from klamm.seams import SystemClock, SystemEntropy

ID = b"\x11" * 16
OTHER = b"\x22" * 16


def crash(dirs: LogDirs) -> None:
    for directory in dirs.directories:
        directory.release()


def test_first_start_formats(lab: Any) -> None:
    dirs = lab.dirs("/a", "/b")
    assert dirs.open() is None
    dirs.format("cluster", 7)
    dirs.load()
    assert len(set(dirs.directory_ids.values())) == 2 and dirs.previous_broker_epoch == -1
    dirs.close(5)
    again = lab.dirs("/a", "/b")
    properties = again.open()
    assert properties is not None and (properties.cluster_id, properties.node_id) == ("cluster", 7)
    assert again.directory_ids == dirs.directory_ids
    again.load()
    assert again.previous_broker_epoch == 5


def test_a_second_node_is_refused(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    with pytest.raises(LogDirError, match="/b is in use"):
        lab.dirs("/c", "/b").open()
    lab.dirs("/c").open()  # what the refused one had locked is free again
    crash(dirs)


def test_directories_of_different_nodes_are_refused(lab: Any) -> None:
    crash(lab.started("/a"))
    other = lab.dirs("/b")
    other.open()
    other.format("cluster", 2)
    crash(other)
    with pytest.raises(LogDirError, match="belongs to node 2"):
        lab.dirs("/a", "/b").open()


def test_stop_and_start(lab: Any) -> None:
    dirs = lab.started()
    log = dirs.create("t", 0, ID, LogConfig())
    lab.append(log, lab.batch(5))
    upkeep.delete_records(log, 2)
    dirs.close(42)
    files = lab.disk.list_directory("/data")
    assert files == [
        ".kafka_cleanshutdown", ".lock", "log-start-offset-checkpoint", "meta.properties",
        "recovery-point-offset-checkpoint", "replication-offset-checkpoint", "t-0",
    ]  # fmt: skip
    assert json.loads(lab.disk.read("/data/.kafka_cleanshutdown")) == {"version": 0, "brokerEpoch": 42}
    assert lab.disk.read("/data/replication-offset-checkpoint") == b"0\n1\nt 0 5\n"
    assert lab.disk.read("/data/log-start-offset-checkpoint") == b"0\n1\nt 0 2\n"
    assert lab.disk.list_directory("/data/t-0") == [
        "00000000000000000000.index", "00000000000000000000.log", "00000000000000000000.timeindex",
        "00000000000000000005.snapshot", "leader-epoch-checkpoint", "partition.metadata",
    ]  # fmt: skip
    assert lab.disk.size("/data/t-0/00000000000000000000.timeindex") == 12

    dirs = lab.started()
    assert not lab.disk.exists("/data/.kafka_cleanshutdown")
    assert dirs.previous_broker_epoch == 42
    log = dirs.get("t", 0)
    assert log is not None and log.topic_id == ID
    assert (log.log_start_offset, log.high_watermark, log.log_end_offset) == (2, 5, 5)
    crash(dirs)
    dirs = lab.started()
    assert dirs.previous_broker_epoch == -1
    assert dirs.logs["t", 0].log_end_offset == 5


def test_a_crash_keeps_what_the_checkpoints_say(lab: Any) -> None:
    dirs = lab.started()
    log = dirs.create("t", 0, ID, LogConfig())
    lab.append(log, lab.batch(5))
    dirs.checkpoint_high_watermarks()
    upkeep.flush(log)
    dirs.checkpoint_recovery_points()
    lab.append(log, lab.batch(5))
    crash(dirs)
    log = lab.started().logs["t", 0]
    assert (log.log_end_offset, log.high_watermark, log.recovery_point) == (10, 5, 5)


def test_configs_and_progress(lab: Any) -> None:
    dirs = lab.started()
    for topic, partition in (("a-b", 0), ("a-b", 11), ("c", 2)):
        dirs.create(topic, partition, ID, LogConfig())
    dirs.close()
    dirs = lab.dirs()
    dirs.open()
    seen: list[tuple[int, int]] = []
    dirs.load(lambda topic: LogConfig({"retention.ms": len(topic)}), lambda done, total: seen.append((done, total)))
    assert {key: log.config.retention_ms for key, log in dirs.logs.items()} == {
        ("a-b", 0): 3,
        ("a-b", 11): 3,
        ("c", 2): 1,
    }
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_delete_is_at_once_and_the_files_go_later(lab: Any) -> None:
    dirs = lab.started()
    lab.append(dirs.create("t", 0, ID, LogConfig()))
    dirs.delete("t", 0)
    dirs.delete("t", 0)
    assert dirs.get("t", 0) is None
    (name,) = (name for name in lab.disk.list_directory("/data") if name.startswith("t-0"))
    stem, _, rest = name.partition(".")
    assert stem == "t-0" and rest.endswith("-delete") and len(rest) == 32 + len("-delete")
    log = dirs.create("t", 0, OTHER, LogConfig())
    assert log.log_end_offset == 0 and log.topic_id == OTHER
    lab.clock.advance(60_000)
    assert [n for n in lab.disk.list_directory("/data") if n.startswith("t-0")] == ["t-0"]


def test_half_deleted_partitions_go_on_being_deleted(lab: Any) -> None:
    dirs = lab.started()
    dirs.create("t", 0, ID, LogConfig())
    dirs.delete("t", 0)
    dirs.close()
    dirs = lab.started()
    assert not dirs.logs
    lab.clock.advance(60_000)
    assert not [n for n in lab.disk.list_directory("/data") if n.startswith("t-0")]


def test_closing_what_did_not_change_writes_nothing(lab: Any) -> None:
    dirs = lab.started()
    lab.append(dirs.create("t", 0, ID, LogConfig()), lab.batch(producer_id=1, producer_epoch=0, base_sequence=0))
    dirs.create("empty", 0, ID, LogConfig())
    dirs.close(1)
    assert lab.disk.list_directory("/data/empty-0") == ["00000000000000000000.log", "partition.metadata"]
    before = dict(lab.disk._files)
    dirs = lab.started()
    dirs.close(2)
    changed = {path for path, node in lab.disk._files.items() if before.get(path) is not node}
    assert {path.rpartition("/")[2] for path in changed} == {
        ".kafka_cleanshutdown", "recovery-point-offset-checkpoint", "replication-offset-checkpoint",
        "log-start-offset-checkpoint",
    }  # fmt: skip


def test_long_names(lab: Any) -> None:
    dirs = lab.started()
    dirs.create("x" * 249, 0, ID, LogConfig())
    dirs.delete("x" * 249, 0)
    assert max(len(name) for name in lab.disk.list_directory("/data")) <= 255


def test_a_new_partition_waits_for_the_syncs_of_the_old_one(lab: Any) -> None:
    lab.flusher = flusher = DeferredIo()
    dirs = lab.started()
    log = dirs.create("t", 0, ID, LogConfig({"index.interval.bytes": 0}))
    for _ in range(3):
        lab.append(log, epoch=7)
    upkeep.flush(log)
    dirs.delete("t", 0)
    assert len(flusher)
    fresh = dirs.create("t", 0, OTHER, LogConfig())
    assert lab.disk.list_directory("/data/t-0") == ["00000000000000000000.log"]
    flusher.run_all()
    assert lab.disk.list_directory("/data/t-0") == ["00000000000000000000.log", "partition.metadata"]
    assert not dirs.directories[0].failure and not fresh.is_offline


def test_create(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    logs = [dirs.create("t", n, ID, LogConfig()) for n in range(4)]
    assert sorted(log.log_dir.path for log in logs) == ["/a", "/a", "/b", "/b"]
    assert dirs.create("t", 0, ID, LogConfig()) is logs[0]
    with pytest.raises(KafkaError) as caught:
        dirs.create("t", 0, OTHER, LogConfig())
    assert caught.value.code == errors.INCONSISTENT_TOPIC_ID
    assert dirs.create("t", 9, ID, LogConfig(), dirs.directory_ids["/b"]).log_dir.path == "/b"
    with pytest.raises(KafkaError) as caught:
        dirs.create("t", 10, ID, LogConfig(), OTHER)
    assert caught.value.code == errors.KAFKA_STORAGE_ERROR


def test_one_directory_fails_and_the_other_serves(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    one, other = (dirs.create("t", n, ID, LogConfig()) for n in range(2))
    failed: list[Any] = []
    one.log_dir.on_failure = failed.append
    one.log_dir.fail(OSError(5, "Input/output error"))
    one.log_dir.fail(OSError(5, "again"))
    assert failed == [one.log_dir]
    with pytest.raises(KafkaError) as caught:
        lab.append(one)
    assert caught.value.code == errors.KAFKA_STORAGE_ERROR
    assert lab.append(other).base_offset == 0
    assert dirs.create("u", 0, ID, LogConfig()).log_dir is other.log_dir
    described = {d.path: d for d in dirs.describe()}
    assert described[one.log_dir.path].error == errors.KAFKA_STORAGE_ERROR
    assert described[one.log_dir.path].partitions == {}
    assert described[other.log_dir.path].partitions == {("t", 1): (other.size_bytes, 1), ("u", 0): (0, 0)}
    dirs.checkpoint_high_watermarks()
    dirs.check_retention(0)
    dirs.close(3)
    assert not lab.disk.exists(f"{one.log_dir.path}/.kafka_cleanshutdown")
    assert lab.disk.exists(f"{other.log_dir.path}/.kafka_cleanshutdown")


def test_the_same_partition_twice_is_refused(lab: Any) -> None:
    dirs = lab.started("/a", "/b")
    dirs.create("t", 0, ID, LogConfig(), dirs.directory_ids["/a"])
    lab.disk.make_directory("/b/t-0")
    lab.disk.write_atomic("/b/t-0/partition.metadata", lab.disk.read("/a/t-0/partition.metadata"))
    crash(dirs)
    again = lab.dirs("/a", "/b")
    again.open()
    with pytest.raises(LogDirError, match=r"t-0 is in /a and in /b"):
        again.load()


def test_what_is_no_partition_is_left_alone(lab: Any) -> None:
    dirs = lab.started()
    future, stray = (f"t-0.00112233445566778899aabbccddeeff{n}-{kind}" for n, kind in (("00", "future"), ("", "stray")))
    for name in (future, stray, "__cluster_metadata-0", "remote-log-index-cache"):
        lab.disk.make_directory(f"/data/{name}")
    lab.disk.write_atomic("/data/file-0", b"")
    crash(dirs)
    dirs = lab.started()
    assert not dirs.logs
    lab.clock.advance(10**6)
    assert lab.disk.exists(f"/data/{stray}")


def test_the_metadata_log(lab: Any) -> None:
    dirs = lab.started()
    log = dirs.open_metadata_log(LogConfig())
    lab.append(log, lab.batch(3))
    upkeep.flush(log)
    dirs.checkpoint_recovery_points()
    assert lab.disk.read("/data/recovery-point-offset-checkpoint") == b"0\n1\n__cluster_metadata 0 3\n"
    dirs.close(1)
    dirs = lab.started()
    assert not dirs.logs and dirs.open_metadata_log(LogConfig()).log_end_offset == 3


@pytest.mark.parametrize("restarts_between", [False, True])
def test_a_new_partition_is_not_judged_by_what_the_checkpoints_said_of_an_old_one(
    lab: Any, restarts_between: bool
) -> None:
    """A topic is deleted and made again, and the node is killed before the next checkpoints."""
    dirs = lab.started()
    old = dirs.create("t", 0, ID, LogConfig())
    for _ in range(20):
        lab.append(old)
    upkeep.flush(old)
    upkeep.delete_records(old, 15)
    dirs.checkpoint_recovery_points()
    dirs.checkpoint_log_start_offsets()
    dirs.checkpoint_high_watermarks()
    dirs.delete("t", 0)
    if restarts_between:
        crash(dirs)
        dirs = lab.dirs()
        dirs.open()
        dirs.load()
    new = dirs.create("t", 0, OTHER, LogConfig())
    for _ in range(4):
        lab.append(new)
    crash(dirs)
    again = lab.dirs()
    again.open()
    again.load()
    log = again.get("t", 0)
    assert log is not None
    assert (log.log_start_offset, log.log_end_offset, log.recovery_point, log.high_watermark) == (0, 4, 0, 0)


def test_checkpoints_forget_deleted_partitions_in_time(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_dirs, "_GONE_MAX", 3)
    dirs = lab.started()
    for n in range(4):
        dirs.create("t", n, ID, LogConfig())
    dirs.checkpoint_recovery_points()
    for n in range(4):
        assert b"t 3" in lab.disk.read("/data/recovery-point-offset-checkpoint")
        dirs.delete("t", n)
    assert lab.disk.read("/data/recovery-point-offset-checkpoint") == b"0\n0\n"


def test_a_start_that_goes_back_is_checkpointed_at_once(lab: Any) -> None:
    """A follower of a leader that was elected uncleanly: its log may end below where its own began."""
    dirs = lab.started()
    log = dirs.create("t", 0, ID, LogConfig())
    upkeep.truncate_fully(log, 100)
    for _ in range(10):
        lab.append(log)
    upkeep.delete_records(log, 105)
    dirs.checkpoint_log_start_offsets()
    upkeep.truncate_to(log, 50)
    for _ in range(10):
        lab.append(log)
    upkeep.flush(log)
    crash(dirs)
    again = lab.dirs()
    again.open()
    again.load()
    log = again.logs["t", 0]
    assert (log.log_start_offset, log.log_end_offset) == (50, 60)


def test_a_truncation_lowers_the_checkpoint_at_once(lab: Any) -> None:
    dirs = lab.started()
    log = dirs.create("t", 0, ID, LogConfig())
    for _ in range(4):
        lab.append(log)
    upkeep.flush(log)
    dirs.checkpoint_recovery_points()
    upkeep.truncate_to(log, 2)
    assert lab.disk.read("/data/recovery-point-offset-checkpoint") == b"0\n1\nt 0 2\n"


def test_a_log_that_ends_below_its_recovery_point_takes_it_back(lab: Any) -> None:
    """Else records to come would count as synced after the next crash, because others once were."""
    dirs = lab.started()
    log = dirs.create("t", 0, ID, LogConfig())
    other = dirs.create("u", 0, ID, LogConfig())
    for each in (log, other):
        for _ in range(4):
            lab.append(each)
        upkeep.flush(each)
    dirs.checkpoint_recovery_points()
    size = log.active_segment.size
    lab.disk.open(log.active_segment.path).truncate(size // 2 + 1)
    again = lab.dirs()
    lab.disk._locked.clear()
    again.open()
    again.load()
    assert lab.disk.read("/data/recovery-point-offset-checkpoint") == b"0\n2\nt 0 2\nu 0 4\n"


async def test_real_files_and_threads(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    writer, flusher = (ThreadIo(name, loop.call_soon_threadsafe) for name in ("test-writer", "test-flusher"))
    config = LogConfig({"internal.segment.bytes": 300_000})

    def make() -> LogDirs:
        return LogDirs(
            [str(tmp_path / "data")],
            disk=RealDisk(),
            clock=SystemClock(loop),
            entropy=SystemEntropy(),
            writer=writer,
            flusher=flusher,
            default_config=config,
        )

    dirs = make()
    dirs.open()
    dirs.format("cluster", 1)
    dirs.load()
    log = dirs.create("t", 0, ID, config)
    now_ms = dirs.clock.time_ms()
    rows = [records.Record(0, now_ms, b"k", bytes([n % 251]) * (90_000 if n % 3 else 10)) for n in range(60)]
    completions = []
    for row in rows:
        batch = memoryview(bytearray(records.build_batch([row])))
        completions.append(log.append_as_leader(batch, 0, now_ms=now_ms).written)
    for completion in completions:
        if completion is not None:
            await asyncio.wait_for(_done(completion), 10)
    assert log.log_end_offset == 60 and len(log.segments) > 10
    log.advance_high_watermark()

    def values(log: Any) -> list[bytes | None]:
        found: list[bytes | None] = []
        while len(found) < log.log_end_offset:
            for batch in records.batches(log.read(len(found), 1 << 20).data):
                found += [record.value for record in records.iter_records(batch)]
        return found

    assert values(log) == [row.value for row in rows]
    dirs.close(1)
    dirs = make()
    dirs.open()
    dirs.load()
    assert values(dirs.logs["t", 0]) == [row.value for row in rows]
    dirs.close(1)


async def _done(completion: Any) -> None:
    await completion
