"""What the core knows of the metadata log: where it begins and ends, its epochs and its snapshots. Never the records.

A mirror: the core moves it with each Append, Truncate and Snapshot that it orders, before they are carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from klamm.log.epoch_checkpoint import LeaderEpochs


class OffsetAndEpoch(NamedTuple):
    """A log's end, or a snapshot's: the offset behind the last record, and that record's epoch."""

    offset: int
    epoch: int

    @property
    def order(self) -> tuple[int, int]:
        """What logs are compared by: the epoch before the length (Raft §5.4.1)."""
        return self.epoch, self.offset


BOOTSTRAP_SNAPSHOT_ID = OffsetAndEpoch(0, 0)
"""The 0-0 checkpoint of the formatting: it is never replicated, the first leader writes its content into the log."""


# How a position that a replica fetches from stands to the log.
VALID: Final = 0
DIVERGING: Final = 1
NEEDS_SNAPSHOT: Final = 2


class LogIndex:
    """`epochs`: (epoch, start offset), oldest first; `snapshots`: size in bytes by id."""

    def __init__(
        self,
        start_offset: int = 0,
        end_offset: int = 0,
        epochs: Iterable[tuple[int, int]] = (),
        snapshots: Mapping[OffsetAndEpoch, int] | None = None,
    ) -> None:
        self.start_offset = start_offset
        self.end_offset = end_offset
        self.epochs = LeaderEpochs(list(epochs))
        self.snapshots = dict(snapshots or {})

    @property
    def earliest_snapshot(self) -> OffsetAndEpoch | None:
        return min(self.snapshots, key=lambda snapshot: snapshot.order, default=None)

    @property
    def latest_snapshot(self) -> OffsetAndEpoch | None:
        return max(self.snapshots, key=lambda snapshot: snapshot.order, default=None)

    @property
    def last_epoch(self) -> int:
        """The epoch of the last record, or of the snapshot in its place; 0 for nothing at all."""
        if (epoch := self.epochs.latest_epoch) >= 0:
            return epoch
        latest = self.latest_snapshot
        return latest.epoch if latest is not None and latest.offset == self.end_offset else 0

    @property
    def end(self) -> OffsetAndEpoch:
        return OffsetAndEpoch(self.end_offset, self.last_epoch)

    def append(self, epoch: int, next_offset: int) -> None:
        """Records of `epoch` were ordered, up to `next_offset`."""
        self.epochs.assign(epoch, self.end_offset)
        self.end_offset = next_offset

    def end_offset_for_epoch(self, epoch: int) -> OffsetAndEpoch:
        """The largest known epoch that is at most `epoch`, and where it ends."""
        found, offset = self.epochs.end_offset_for(epoch, self.end_offset)
        if found < 0:
            return self.end
        earliest = self.earliest_snapshot
        if earliest is not None and earliest.offset == offset and found == epoch:
            return earliest
        return OffsetAndEpoch(offset, found)

    def validate(self, offset: int, epoch: int) -> tuple[int, OffsetAndEpoch]:
        """How a replica whose log ends at `offset` with a record of `epoch` stands to this log, and what to tell it."""
        if self.start_offset == offset == 0:
            return VALID, BOOTSTRAP_SNAPSHOT_ID
        earliest, latest = self.earliest_snapshot, self.latest_snapshot
        if (
            earliest is not None
            and latest is not None
            and (
                offset < self.start_offset
                or (offset == self.start_offset and epoch != earliest.epoch)
                or epoch < earliest.epoch
            )
        ):
            return NEEDS_SNAPSHOT, latest
        known = self.end_offset_for_epoch(epoch)
        if known.epoch != epoch or known.offset < offset:
            return DIVERGING, known
        return VALID, OffsetAndEpoch(offset, epoch)

    def truncation_offset(self, diverging: OffsetAndEpoch) -> int:
        """Where to cut, when the leader's log says that epoch `diverging.epoch` ends at `diverging.offset`."""
        if diverging.epoch == 0:
            return min(diverging.offset, self.end_offset)
        known = self.end_offset_for_epoch(diverging.epoch)
        return min(known.offset, diverging.offset) if known.epoch == diverging.epoch else known.offset

    def truncate(self, offset: int) -> None:
        """Everything from `offset` on is gone."""
        self.epochs.truncate_from_end(offset)
        self.end_offset = min(self.end_offset, offset)

    def begin_at(self, snapshot: OffsetAndEpoch) -> None:
        """The log is empty and begins behind `snapshot`."""
        self.epochs.clear()
        self.start_offset = self.end_offset = snapshot.offset
        self.snapshots = {key: size for key, size in self.snapshots.items() if key.order >= snapshot.order}

    def move_start(self, offset: int) -> None:
        """Segments below `offset` were deleted, and the snapshots before it."""
        self.start_offset = max(self.start_offset, offset)
        self.epochs.truncate_from_start(self.start_offset)
        self.snapshots = {key: size for key, size in self.snapshots.items() if key.offset >= self.start_offset}
