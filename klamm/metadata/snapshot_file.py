"""Snapshots of the metadata log: `<end offset>-<epoch>.checkpoint`, and `bootstrap.checkpoint` in the same form.

Record batches with offsets from 0: a control batch that begins with a header, the records, a control batch with a
footer. A file without its footer was not finished and does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from klamm.kproto import records
from klamm.kproto.control_records import (
    KRaftVersionRecord,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
)
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.log.disk import Disk
from klamm.metadata.raft.voters import VoterSet
from klamm.metadata.record_codec import control_batch, data_batch, decode_record

BOOTSTRAP_FILE = "bootstrap.checkpoint"
_NAME = re.compile(r"(\d{20})-(\d{10})\.checkpoint\Z")
_RECORDS_PER_BATCH = 2000


class SnapshotId(NamedTuple):
    """`end_offset` is the first offset that is not in the snapshot, `epoch` that of the last one that is."""

    end_offset: int
    epoch: int


class Snapshot(NamedTuple):
    """`kraft_version` 0 and no voters when the file does not tell (static voters, bootstrap.checkpoint)."""

    last_contained_log_timestamp: int
    kraft_version: int
    voters: VoterSet | None
    records: Sequence[Message]


BOOTSTRAP_SNAPSHOT = SnapshotId(0, 0)
"""The snapshot that formatting makes: nothing but the voters."""


def file_name(snapshot_id: SnapshotId) -> str:
    return f"{snapshot_id.end_offset:020d}-{snapshot_id.epoch:010d}.checkpoint"


def find_snapshots(disk: Disk, directory: str) -> list[SnapshotId]:
    """The snapshots in the directory of the metadata log, oldest first."""
    found = (_NAME.match(name) for name in disk.list_directory(directory))
    return sorted(SnapshotId(int(m[1]), int(m[2])) for m in found if m is not None)


def encode_snapshot(
    messages: Iterable[Message],
    metadata_version: int,
    *,
    timestamp_ms: int,
    last_contained_log_timestamp: int = 0,
    kraft_version: int = 0,
    voters: VoterSet | None = None,
) -> bytes:
    """The file's bytes."""
    header = SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_contained_log_timestamp)
    control: list[tuple[int, Message]] = [(records.CONTROL_SNAPSHOT_HEADER, header)]
    if voters is not None:
        version = KRaftVersionRecord(version=0, k_raft_version=kraft_version)
        control += [(records.CONTROL_KRAFT_VERSION, version), (records.CONTROL_KRAFT_VOTERS, voters.to_record())]
    parts = [control_batch(control, base_offset=0, leader_epoch=0, timestamp_ms=timestamp_ms)]
    offset = len(control)
    rows = list(messages)
    for start in range(0, len(rows), _RECORDS_PER_BATCH):
        chunk = rows[start : start + _RECORDS_PER_BATCH]
        parts.append(data_batch(chunk, metadata_version, base_offset=offset, leader_epoch=0, timestamp_ms=timestamp_ms))
        offset += len(chunk)
    footer = (records.CONTROL_SNAPSHOT_FOOTER, SnapshotFooterRecord(version=0))
    parts.append(control_batch([footer], base_offset=offset, leader_epoch=0, timestamp_ms=timestamp_ms))
    return b"".join(parts)


def decode_snapshot(data: bytes, path: str) -> Snapshot:
    """Raises ProtocolError for a damaged file, or one without header or footer."""
    messages: list[Message] = []
    timestamp, kraft_version, voters, footer = None, 0, None, False
    for batch in records.batches(data):
        records.validate_batch(batch.view)
        for record in records.iter_records(batch):
            if not batch.is_control:
                messages.append(decode_record(record.value)[0])
                continue
            kind, value = records.control_type(record.key), record.value or b""
            if kind == records.CONTROL_SNAPSHOT_HEADER:
                timestamp = SnapshotHeaderRecord.decode(value, 0).last_contained_log_timestamp
            elif kind == records.CONTROL_KRAFT_VERSION:
                kraft_version = KRaftVersionRecord.decode(value, 0).k_raft_version
            elif kind == records.CONTROL_KRAFT_VOTERS:
                voters = VoterSet.from_record(VotersRecord.decode(value, 0))
            elif kind == records.CONTROL_SNAPSHOT_FOOTER:
                footer = True
    if timestamp is None or not footer:
        raise ProtocolError(
            f"{path} is no whole snapshot: its {'header' if timestamp is None else 'footer'} is missing"
        )
    return Snapshot(timestamp, kraft_version, voters, messages)
