"""Producer snapshots and aborted transactions held against a replay of the log.

What was deleted at the log's start, or compacted away, cannot be replayed: then only what the log still tells is held
against the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from klamm.kproto.records import Batch
from klamm.log import producer_snapshot
from klamm.log.index_entries import CorruptIndex
from klamm.log.producer_replay import aborted_of, take_batch
from klamm.log.producer_state import ProducerState, ProducerStateEntry
from klamm.log.segment import SNAPSHOT_SUFFIX, TXN_INDEX_SUFFIX, file_stem
from klamm.log.txn_index import AbortedTxn, TxnIndex
from klamm.log.verify.findings import ERROR, INFO, WARNING, Finding, Report

if TYPE_CHECKING:
    from klamm.log.disk import Disk

_IGNORED: Final = "passed over and deleted; the producers are taken from an older one and the log"
_TRUSTED: Final = (
    "trusted after a clean stop: duplicates may be taken, or producers refused; made anew after an unclean one"
)


class ProducerCheck:
    """The replay of one log; told of segments and batches in their order. Paths in `wrong` must be made anew."""

    def __init__(self, disk: Disk, directory: str, names: list[str], start_offset: int, report: Report) -> None:
        self._disk = disk
        self._directory = directory
        self._report = report
        self._state = ProducerState()
        self._next_offset = start_offset
        self._is_complete = start_offset == 0
        """Whether the replay knows all that the log has ever held: from offset 0, without a gap."""
        self._aborted: list[AbortedTxn] = []
        self._markers: set[tuple[int, int]] = set()
        self.wrong: list[str] = []
        self._snapshots = sorted(
            int(name[: -len(SNAPSHOT_SUFFIX)])
            for name in names
            if name.endswith(SNAPSHOT_SUFFIX) and name[: -len(SNAPSHOT_SUFFIX)].isdecimal()
        )

    def on_batch(self, batch: Batch) -> None:
        if batch.base_offset > self._next_offset:
            self._is_complete = False
        while self._snapshots and self._snapshots[0] <= batch.base_offset:
            self._check_snapshot(self._snapshots.pop(0))
        self._next_offset = batch.next_offset
        if batch.producer_id < 0:
            return
        completed = take_batch(self._state, batch[:13], batch.view)
        if batch.is_control:
            self._markers.add((batch.producer_id, batch.base_offset))
        if completed is not None and completed.is_aborted:
            self._aborted.append(aborted_of(self._state, completed))

    def on_segment_end(self, base_offset: int) -> None:
        """Hold the segment's aborted transactions against its markers."""
        path = f"{self._directory}/{file_stem(base_offset)}{TXN_INDEX_SUFFIX}"
        expected, self._aborted = self._aborted, []
        markers, self._markers = self._markers, set()
        try:
            entries = TxnIndex(self._disk, path).entries
        except CorruptIndex as error:
            self._wrong(ERROR, "corrupt_txn_index", path, str(error), "made anew from the batches (Kafka: offline)")
            return
        for entry in entries:
            if (entry.producer_id, entry.last_offset) not in markers:
                message = f"offset {entry.last_offset} is no marker of producer {entry.producer_id}"
                self._wrong(ERROR, "txn_index_mismatch", path, message, _txn_recovery(), entry.last_offset)
        found = {(entry.producer_id, entry.last_offset): entry for entry in entries}
        for row in expected:
            entry_of = found.get((row.producer_id, row.last_offset))
            if entry_of is None:
                message = (
                    f"producer {row.producer_id} aborted {row.first_offset} to {row.last_offset}, which is not told"
                )
                self._wrong(ERROR, "txn_index_mismatch", path, message, _txn_recovery(), row.last_offset)
            elif self._is_complete and entry_of != row:
                message = f"{tuple(entry_of)} where the batches tell {tuple(row)}"
                self._wrong(ERROR, "txn_index_mismatch", path, message, _txn_recovery(), row.last_offset)

    def finish(self) -> None:
        """The log has been read: what is left are snapshots at its end or behind it."""
        for offset in self._snapshots:
            if offset <= self._next_offset:
                self._check_snapshot(offset)
            else:
                path = self._path(offset)
                message = f"it is of offset {offset}, the log ends at {self._next_offset}"
                self._wrong(WARNING, "snapshot_beyond_log", path, message, "deleted", offset)

    def _path(self, offset: int) -> str:
        return f"{self._directory}/{file_stem(offset)}{SNAPSHOT_SUFFIX}"

    def _wrong(
        self, severity: str, code: str, path: str, message: str, recovery: str, offset: int | None = None
    ) -> None:
        self._report(Finding(severity, code, path, message.removeprefix(f"{path}: "), recovery, offset))
        if path not in self.wrong:
            self.wrong.append(path)

    def _check_snapshot(self, offset: int) -> None:
        path = self._path(offset)
        try:
            entries = producer_snapshot.decode(self._disk.read(path))
        except FileNotFoundError:
            return
        except producer_snapshot.CorruptSnapshot as error:
            self._wrong(WARNING, "corrupt_snapshot", path, str(error), _IGNORED, offset)
            return
        seen = {entry.producer_id: entry for entry in entries}
        for producer_id, replayed in self._state.producers.items():
            entry = seen.pop(producer_id, None)
            if entry is None:
                self._missing(path, offset, replayed)
            elif (difference := _difference(entry, replayed)) is not None:
                self._mismatch(path, offset, f"producer {producer_id}: {difference}")
        if seen and self._is_complete:
            self._mismatch(path, offset, f"producers that never wrote: {', '.join(map(str, sorted(seen)))}")

    def _missing(self, path: str, offset: int, replayed: ProducerStateEntry) -> None:
        """Producers are forgotten when they rest (`producer.id.expiration.ms`), but not within a transaction."""
        if replayed.current_txn_first_offset >= 0:
            message = f"producer {replayed.producer_id} is missing, its transaction is open"
            self._wrong(ERROR, "snapshot_mismatch", path, message, _TRUSTED, offset)

    def _mismatch(self, path: str, offset: int, message: str) -> None:
        if self._is_complete:
            self._wrong(ERROR, "snapshot_mismatch", path, message, _TRUSTED, offset)
        else:
            recovery = "none needed where records were deleted or compacted away"
            self._report(Finding(INFO, "snapshot_differs", path, message, recovery, offset))


def _txn_recovery() -> str:
    return "klamm makes it anew, Kafka does after an unclean stop; else read_committed readers see aborted records"


def _difference(entry: ProducerStateEntry, replayed: ProducerStateEntry) -> str | None:
    """The first thing in which a producer of a snapshot differs from the log."""
    for name in ("producer_epoch", "coordinator_epoch", "current_txn_first_offset", "last_sequence", "last_offset"):
        theirs, ours = getattr(entry, name), getattr(replayed, name)
        if theirs != ours:
            return f"{name.replace('_', ' ')} {theirs}, in the log {ours}"
    return None
