"""A data directory on the real disk with something of everything, written by the log itself: for tests of the tools."""

from __future__ import annotations

import struct
from pathlib import Path

from klamm.kproto import records
from klamm.kproto.metadata_records import ConfigRecord, FeatureLevelRecord, PartitionRecord, TopicRecord
from klamm.kproto.records import Record, build_batch
from klamm.kproto.uuids import METADATA_TOPIC_ID
from klamm.log import checkpoint, meta_properties, partition_metadata, recovery, upkeep, validation
from klamm.log.disk import RealDisk
from klamm.log.io_thread import InlineIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import LogDir
from klamm.metadata.raft import election_state
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.voters import Voter, VoterSet
from klamm.metadata.record_codec import data_batch
from klamm.metadata.snapshot_file import BOOTSTRAP_FILE, SnapshotId, encode_snapshot, file_name
from klamm.metadata.storage_format import METADATA_PARTITION_DIR
from klamm.seams import SeededEntropy
from tests.clock import FakeClock

TIME = 1_700_000_000_000
TOPIC_ID = bytes(range(16))
DIRECTORY_ID = bytes(range(100, 116))
NODE_ID = 1
TRANSACTIONAL, IDEMPOTENT = 11, 22


def data_rows(first: int, count: int, size: int = 30) -> list[Record]:
    """As a producer sends them: offsets from 0; timestamps rise with the offsets to come."""
    return [Record(n, TIME + first + n, b"key %d" % n, b"v" * size) for n in range(count)]


def make_partition(directory: Path, batches: int = 60, segment_bytes: int = 3000) -> None:
    """Several segments in three epochs, with an idempotent producer and transactions that end in either way."""
    clock, io, disk = FakeClock(), InlineIo(), RealDisk()
    home = LogDir(str(directory.parent), disk, clock, SeededEntropy(1), writer=io, flusher=io)
    config = LogConfig({"segment.bytes": segment_bytes, "index.interval.bytes": 200})
    log = recovery.open_log(home, str(directory), directory.name.rpartition("-")[0], 0, config, topic_id=TOPIC_ID)
    sequence = {IDEMPOTENT: 0, TRANSACTIONAL: 0}

    def append(data: bytes, epoch: int, origin: int = validation.CLIENT) -> None:
        log.append_as_leader(memoryview(bytearray(data)), epoch, now_ms=TIME, origin=origin)
        log.advance_high_watermark()

    for number in range(batches):
        epoch, first = number // (batches // 3 + 1), log.next_offset
        rows = data_rows(first, 1 + number % 4)
        if number % 5 == 4:
            marker = Record(0, TIME + first, records.control_key(number // 5 % 2), struct.pack(">hi", 0, epoch))
            data = build_batch([marker], control=True, transactional=True, producer_id=TRANSACTIONAL, producer_epoch=0)
            append(data, epoch, validation.COORDINATOR)
            continue
        producer = {1: IDEMPOTENT, 2: TRANSACTIONAL, 3: TRANSACTIONAL}.get(number % 5)
        if producer is None:
            append(build_batch(rows, compression=number % 3), epoch)
            continue
        is_transactional = producer == TRANSACTIONAL
        data = build_batch(rows, producer_id=producer, producer_epoch=0, base_sequence=sequence[producer],
                           transactional=is_transactional)  # fmt: skip
        sequence[producer] += len(rows)
        append(data, epoch)
    upkeep.close(log)


def make_data_directory(path: Path) -> None:
    """A node's only data directory after a clean stop: one topic, `t`, with one partition."""
    path.mkdir(parents=True, exist_ok=True)
    disk = RealDisk()
    make_partition(path / "t-0")
    end_offset = int(sorted(p.stem for p in (path / "t-0").glob("*.snapshot"))[-1])
    properties = meta_properties.MetaProperties("cluster", NODE_ID, DIRECTORY_ID)
    meta_properties.write(disk, str(path / meta_properties.FILE), properties)
    ends = {("t", 0): end_offset, ("__cluster_metadata", 0): 4}
    checkpoint.write_offsets(disk, str(path / checkpoint.RECOVERY_POINT), ends)
    checkpoint.write_offsets(disk, str(path / checkpoint.HIGH_WATERMARK), {("t", 0): end_offset})
    checkpoint.write_offsets(disk, str(path / checkpoint.LOG_START_OFFSET), {})
    (path / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":7}')
    (path / ".lock").write_bytes(b"")
    _make_metadata(path)


def _make_metadata(path: Path) -> None:
    directory = path / METADATA_PARTITION_DIR
    directory.mkdir()
    feature = FeatureLevelRecord(name="metadata.version", feature_level=30)
    voters = VoterSet.of([Voter(NODE_ID, DIRECTORY_ID, ())])
    (path / BOOTSTRAP_FILE).write_bytes(encode_snapshot([feature], 30, timestamp_ms=TIME))
    snapshot = encode_snapshot([], 30, timestamp_ms=TIME, kraft_version=1, voters=voters)
    (directory / file_name(SnapshotId(0, 0))).write_bytes(snapshot)
    partition = PartitionRecord(
        partition_id=0, topic_id=TOPIC_ID, replicas=[NODE_ID], isr=[NODE_ID], leader=NODE_ID, leader_epoch=2,
        directories=[DIRECTORY_ID],
    )  # fmt: skip
    interval = ConfigRecord(resource_type=2, resource_name="t", name="index.interval.bytes", value="200")
    rows = [feature, TopicRecord(name="t", topic_id=TOPIC_ID), interval, partition]
    batches = [data_batch([r], 30, base_offset=n, leader_epoch=1, timestamp_ms=TIME) for n, r in enumerate(rows)]
    disk = RealDisk()
    log = directory / "00000000000000000000.log"
    log.write_bytes(b"".join(batches))
    partition_metadata.write_topic_id(disk, str(directory / partition_metadata.FILE), METADATA_TOPIC_ID)
    (directory / election_state.FILE).write_bytes(election_state.encode(ElectionState(1, NODE_ID), 1))
    io = InlineIo()
    home = LogDir(str(path), disk, FakeClock(), SeededEntropy(1), writer=io, flusher=io)
    upkeep.close(recovery.open_log(home, str(directory), "__cluster_metadata", 0, LogConfig(), is_clean=False))


def flip(path: Path, at: int, bit: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= bit
    path.write_bytes(data)


def logs(data: Path) -> list[Path]:
    """The segments of its partition t-0."""
    return sorted((data / "t-0").glob("*.log"))
