"""Reading the metadata log back: the newest snapshot, then the batches behind it.

Records of a transaction count only when its END has been read; an open one at the end of the log is reported, and
its records are dropped, as the next controller aborts it (KIP-868).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from klamm.kproto import metadata_records as m
from klamm.kproto import records
from klamm.kproto.control_records import KRaftVersionRecord, VotersRecord
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.log.disk import Disk
from klamm.log.partition_log import PartitionLog
from klamm.metadata.image.image import EMPTY, MetadataDelta
from klamm.metadata.raft.voters import VoterSet
from klamm.metadata.record_codec import decode_record
from klamm.metadata.snapshot_file import BOOTSTRAP_SNAPSHOT, SnapshotId, decode_snapshot, file_name, find_snapshots

_READ_BYTES = 1 << 22


class Replayed(NamedTuple):
    """What the files tell. `delta` starts from the empty image; `offset` and `epoch`: the last record's, or -1."""

    delta: MetadataDelta
    offset: int
    epoch: int
    is_transaction_open: bool
    kraft_version: int
    voters: VoterSet | None
    has_voters_in_log: bool
    unsnapshotted_bytes: int
    """The bytes of the log that were read behind the snapshot."""


class LogReplay:
    """Takes batches in, in the order of their offsets."""

    def __init__(self) -> None:
        self.delta = MetadataDelta(EMPTY)
        self.offset = self.epoch = -1
        self.kraft_version = 0
        self.voters: VoterSet | None = None
        self.has_voters_in_log = False
        self._read_bytes = 0
        self._transaction: list[Message] | None = None

    def load_snapshot(self, snapshot_id: SnapshotId, data: bytes, path: str) -> None:
        """Begin with a snapshot. Raises ProtocolError."""
        snapshot = decode_snapshot(data, path)
        for record in snapshot.records:
            self.delta.apply(record)
        self.offset, self.epoch = snapshot_id.end_offset - 1, snapshot_id.epoch
        if snapshot.voters is not None:
            self.kraft_version, self.voters = snapshot.kraft_version, snapshot.voters
            self.has_voters_in_log = snapshot_id != BOOTSTRAP_SNAPSHOT

    def take(self, batch: records.Batch) -> None:
        """Raises ProtocolError for a record that is not understood: going on without it would be guessing."""
        if batch.last_offset <= self.offset:
            return
        for record in records.iter_records(batch):
            if record.offset <= self.offset:
                continue
            if batch.is_control:
                self._control(record)
            else:
                self._data(decode_record_at(record))
        self.offset, self.epoch = batch.last_offset, batch.partition_leader_epoch
        self._read_bytes += batch.size_bytes

    def result(self) -> Replayed:
        return Replayed(
            self.delta,
            self.offset,
            self.epoch,
            self._transaction is not None,
            self.kraft_version,
            self.voters,
            self.has_voters_in_log,
            self._read_bytes,
        )

    def _control(self, record: records.Record) -> None:
        kind, value = records.control_type(record.key), record.value or b""
        if kind == records.CONTROL_KRAFT_VERSION:
            self.kraft_version = KRaftVersionRecord.decode(value, 0).k_raft_version
        elif kind == records.CONTROL_KRAFT_VOTERS:
            self.voters = VoterSet.from_record(VotersRecord.decode(value, 0))
            self.has_voters_in_log = True

    def _data(self, record: Message) -> None:
        kind = type(record)
        if kind is m.BeginTransactionRecord:
            if self._transaction is not None:
                raise ProtocolError("a metadata transaction begins within another one")
            self._transaction = []
        elif kind is m.EndTransactionRecord or kind is m.AbortTransactionRecord:
            if self._transaction is None:
                raise ProtocolError("a metadata transaction ends that has not begun")
            held, self._transaction = self._transaction, None
            if kind is m.EndTransactionRecord:
                for row in held:
                    self.delta.apply(row)
        elif self._transaction is not None:
            self._transaction.append(record)
        else:
            self.delta.apply(record)


def decode_record_at(record: records.Record) -> Message:
    """The metadata record in a log record. Raises ProtocolError, with the offset."""
    try:
        return decode_record(record.value)[0]
    except ProtocolError as error:
        raise ProtocolError(f"__cluster_metadata-0 at offset {record.offset}: {error}") from None


def log_batches(log: PartitionLog, offset: int) -> Iterable[records.Batch]:
    """The batches from the one with `offset` up to the log end, committed or not."""
    while offset < log.log_end_offset:
        data = log.read(offset, _READ_BYTES, max_offset=log.log_end_offset).data
        for batch in records.batches(data):
            yield batch
            offset = batch.next_offset


def replay(log: PartitionLog, disk: Disk) -> Replayed:
    """Everything in the log's directory. Raises ProtocolError for a log that cannot be followed."""
    loaded = LogReplay()
    for snapshot_id in reversed(find_snapshots(disk, log.directory)):
        path = f"{log.directory}/{file_name(snapshot_id)}"
        loaded.load_snapshot(snapshot_id, disk.read(path), path)
        break
    if loaded.offset + 1 < log.log_start_offset:
        raise ProtocolError(f"{log.directory} begins at offset {log.log_start_offset} and has no snapshot up to there")
    for batch in log_batches(log, loaded.offset + 1):
        loaded.take(batch)
    return loaded.result()
