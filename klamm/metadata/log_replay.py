"""The metadata log read back: what its batches do to the image, and what a node knows of it when it starts.

Records of a transaction count only when its END has been read; an open one at the end of the log is reported, and
its records are dropped, as the next controller aborts it (KIP-868).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from klamm.kproto import metadata_records as m
from klamm.kproto import records
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.log import upkeep
from klamm.log.disk import Disk
from klamm.log.partition_log import PartitionLog
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.raft.history import BOOTSTRAP_OFFSET, QuorumHistory, quorum_records
from klamm.metadata.record_codec import decode_record
from klamm.metadata.snapshot_file import (
    BOOTSTRAP_SNAPSHOT,
    Snapshot,
    SnapshotId,
    decode_snapshot,
    file_name,
    find_snapshots,
)

_READ_BYTES = 1 << 22


class LogReplay:
    """Takes batches in, in the order of their offsets, and changes `delta` by them."""

    def __init__(self, image: MetadataImage = EMPTY) -> None:
        self.delta = MetadataDelta(image)
        self.offset, self.epoch = image.offset, image.epoch
        """Those of the last record that was taken in."""
        self._transaction: list[Message] | None = None

    @property
    def is_transaction_open(self) -> bool:
        return self._transaction is not None

    def load_snapshot(self, snapshot_id: SnapshotId, snapshot: Snapshot) -> None:
        """Begin with a snapshot. Raises ProtocolError."""
        for record in snapshot.records:
            self.delta.apply(record)
        self.offset, self.epoch = snapshot_id.end_offset - 1, snapshot_id.epoch

    def take(self, batch: records.Batch) -> None:
        """Raises ProtocolError for a record that is not understood: going on without it would be guessing."""
        if batch.last_offset <= self.offset:
            return
        if not batch.is_control:
            for record in records.iter_records(batch):
                if record.offset > self.offset:
                    self._apply(decode_record_at(record))
        self.offset, self.epoch = batch.last_offset, batch.partition_leader_epoch

    def build(self) -> MetadataImage:
        """The image of everything so far; the next records change a delta on top of it."""
        image = self.delta.build(self.offset, self.epoch)
        self.delta = MetadataDelta(image)
        return image

    def _apply(self, record: Message) -> None:
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


class Found(NamedTuple):
    """What the files tell at the start. `snapshots`: their sizes in bytes by id, oldest first.

    `replay` holds what is certain: the newest snapshot and, if this replica is the only voter, the whole log.
    """

    replay: LogReplay
    is_whole: bool
    snapshots: dict[SnapshotId, int]
    unsnapshotted_bytes: int
    """The bytes of the log behind the newest snapshot."""


def _is_beyond(snapshot_id: SnapshotId, log: PartitionLog) -> bool:
    """Whether a log ends before its newest snapshot: a crash has cut it, or came before the snapshot took its place.

    Such a log goes, as in Kafka: from where it ends its leader may have nothing but a snapshot, too.
    """
    epoch = log.epochs.latest_epoch
    if epoch < 0:  # without records nothing but the offset is known
        return snapshot_id.end_offset > log.next_offset
    return (snapshot_id.epoch, snapshot_id.end_offset) > (epoch, log.next_offset)


def read_back(log: PartitionLog, disk: Disk, history: QuorumHistory, node_id: int, directory_id: bytes) -> Found:
    """Read everything in the log's directory; `history` learns the voters. Raises ProtocolError."""
    replay = LogReplay()
    names = find_snapshots(disk, log.directory)
    if names and _is_beyond(names[-1], log):
        upkeep.truncate_fully(log, names[-1].end_offset)
        names = names[-1:]
    path = f"{log.directory}/{file_name(names[-1])}" if names else ""
    newest = decode_snapshot(disk.read(path), path) if names else None
    if newest is not None:
        replay.load_snapshot(names[-1], newest)
        if newest.voters is not None:
            offset = BOOTSTRAP_OFFSET if names[-1] == BOOTSTRAP_SNAPSHOT else replay.offset
            history.load(offset, newest.kraft_version, newest.voters)
    if replay.offset + 1 < log.log_start_offset:
        raise ProtocolError(f"{log.directory} begins at offset {log.log_start_offset} and has no snapshot up to there")
    start = replay.offset + 1
    is_whole = history.voters.is_only(node_id, directory_id)
    size_bytes = 0
    for batch in log_batches(log, start):
        size_bytes += batch.size_bytes
        if batch.is_control:
            history.add(control for control in quorum_records(batch) if control[0] >= start)
            if is_whole and not history.voters.is_only(node_id, directory_id):
                # What stands in the log may not be committed: others decide that.
                is_whole, replay = False, LogReplay()
                if newest is not None:
                    replay.load_snapshot(names[-1], newest)
        if is_whole:
            replay.take(batch)
    sizes = {name: disk.size(f"{log.directory}/{file_name(name)}") for name in names}
    return Found(replay, is_whole, sizes, size_bytes)
