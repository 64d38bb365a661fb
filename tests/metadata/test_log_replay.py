"""Reading the log back: transactions, snapshots, voters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from klamm.kproto import metadata_records as m
from klamm.kproto import records
from klamm.kproto.control_records import KRaftVersionRecord
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.metadata.log_replay import LogReplay
from klamm.metadata.raft.history import QuorumHistory, quorum_records
from klamm.metadata.raft.voters import Voter, VoterSet
from klamm.metadata.record_codec import control_batch, data_batch
from klamm.metadata.snapshot_file import (
    SnapshotId,
    decode_snapshot,
    encode_snapshot,
    file_name,
    find_snapshots,
)

TOPIC = m.TopicRecord(name="a", topic_id=b"a" * 16)
OTHER = m.TopicRecord(name="b", topic_id=b"b" * 16)
BEGIN, END, ABORT = m.BeginTransactionRecord(name="t"), m.EndTransactionRecord(), m.AbortTransactionRecord()
VOTERS = VoterSet((Voter(1, b"d" * 16, ()),))


def batch(rows: Sequence[Message], offset: int = 0, epoch: int = 1) -> records.Batch:
    data = data_batch(rows, 30, base_offset=offset, leader_epoch=epoch, timestamp_ms=1)
    return next(records.batches(data))


def replayed(*batches: Sequence[Message]) -> Any:
    replay, offset = LogReplay(), 0
    for rows in batches:
        replay.take(batch(rows, offset))
        offset += len(rows)
    return replay


def names(replay: LogReplay) -> list[str]:
    return list(replay.delta.build(0, 0).topics.by_name)


@pytest.mark.parametrize(
    ("batches", "expected", "is_open"),
    [
        ([[TOPIC]], ["a"], False),
        ([[BEGIN, TOPIC, END]], ["a"], False),
        ([[BEGIN, TOPIC], [OTHER], [END]], ["a", "b"], False),
        ([[BEGIN, TOPIC], [ABORT, OTHER]], ["b"], False),
        ([[OTHER], [BEGIN, TOPIC]], ["b"], True),
        ([[BEGIN, TOPIC, ABORT], [BEGIN, TOPIC, END]], ["a"], False),
    ],
)
def test_transactions(batches: Any, expected: list[str], is_open: bool) -> None:
    found = replayed(*batches)
    assert names(found) == expected and found.is_transaction_open == is_open


@pytest.mark.parametrize("rows", [[BEGIN, BEGIN], [END], [ABORT]])
def test_transactions_out_of_order(rows: Any) -> None:
    with pytest.raises(ProtocolError):
        replayed(rows)


def test_offset_and_epoch_are_of_the_last_record() -> None:
    replay = LogReplay()
    replay.take(batch([TOPIC, OTHER], 0, 1))
    replay.take(batch([m.NoOpRecord()], 2, 3))
    assert (replay.offset, replay.epoch) == (2, 3)
    assert (LogReplay().offset, LogReplay().epoch) == (-1, -1)


def test_log_behind_a_snapshot() -> None:
    data = encode_snapshot([TOPIC], 30, timestamp_ms=1, kraft_version=1, voters=VOTERS)
    replay = LogReplay()
    replay.load_snapshot(SnapshotId(5, 2), decode_snapshot(data, "s"))
    replay.take(batch([OTHER, OTHER], 3))  # all of it is in the snapshot
    assert names(replay) == ["a"]
    replay.take(batch([TOPIC, OTHER], 4))  # the first of it is in the snapshot
    assert names(replay) == ["a", "b"] and replay.offset == 5


def test_the_voters_that_stand_in_control_records() -> None:
    rows: list[tuple[int, Message]] = [
        (records.CONTROL_KRAFT_VERSION, KRaftVersionRecord(version=0, k_raft_version=1)),
        (records.CONTROL_KRAFT_VOTERS, VOTERS.to_record()),
    ]
    data = control_batch(rows, base_offset=7, leader_epoch=1, timestamp_ms=1)
    history = QuorumHistory()
    history.add(quorum_records(next(records.batches(data))))
    assert (history.kraft_version, history.voters, history.voters_offset) == (1, VOTERS, 8)


def test_damaged_snapshots() -> None:
    data = encode_snapshot([TOPIC], 30, timestamp_ms=1)
    assert [r.name for r in decode_snapshot(data, "s").records] == ["a"]  # type: ignore[attr-defined]
    with pytest.raises(ProtocolError, match=r"here.*footer is missing"):
        decode_snapshot(data[:-10], "here")
    broken = bytearray(data)
    broken[100] ^= 1
    with pytest.raises(ProtocolError, match="CRC"):
        decode_snapshot(bytes(broken), "here")


def test_large_snapshot_is_many_batches() -> None:
    rows = [m.TopicRecord(name=f"t{i}", topic_id=i.to_bytes(16, "big")) for i in range(4500)]
    data = encode_snapshot(rows, 30, timestamp_ms=1)
    assert len(list(records.batches(data))) == 5
    assert list(decode_snapshot(data, "s").records) == rows


def test_files_of_snapshots(lab: Any) -> None:
    lab.disk.make_directory("/m")
    for snapshot_id in (SnapshotId(70, 2), SnapshotId(0, 0), SnapshotId(9, 12)):
        lab.disk.write_atomic(f"/m/{file_name(snapshot_id)}", b"")
    lab.disk.write_atomic("/m/00000000000000000000.log", b"")
    lab.disk.write_atomic("/m/00000000000000000070-0000000003.checkpoint.part", b"")
    assert find_snapshots(lab.disk, "/m") == [(0, 0), (9, 12), (70, 2)]
