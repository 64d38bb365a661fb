"""Leader epochs of one log and where each begins (`leader-epoch-checkpoint`).

Both epochs and start offsets rise strictly. The file is written at flushes, rolls and at the close (`unwritten`): what
is lost in a crash stands in the batches after the recovery point, and recovery assigns it again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from klamm.log.checkpoint import INT32, INT64, MalformedCheckpoint, checkpoint_lines, number

FILE: Final = "leader-epoch-checkpoint"
UNDEFINED_EPOCH: Final = -1
UNDEFINED_OFFSET: Final = -1


class LeaderEpochs:
    """The cache of (epoch, start offset)."""

    __slots__ = ("_epochs", "_starts", "dirty")

    def __init__(self, entries: list[tuple[int, int]] | None = None) -> None:
        self._epochs = [epoch for epoch, _ in entries or ()]
        self._starts = [start for _, start in entries or ()]
        self.dirty = False

    @classmethod
    def decode(cls, data: bytes, path: str = FILE) -> LeaderEpochs:
        """Read the file's bytes. Raises MalformedCheckpoint."""
        entries = []
        for words in checkpoint_lines(data, path):
            if len(words) != 2:
                raise MalformedCheckpoint(f"{path} has the entry {' '.join(words)[:80]!r}")
            entry = number(words[0], INT32, path), number(words[1], INT64, path)
            if min(entry) < 0:
                raise MalformedCheckpoint(f"{path} has epoch {entry[0]} begin at {entry[1]}")
            entries.append(entry)
        epochs = cls([])
        for epoch, start in entries:
            epochs.assign(epoch, start)
        epochs.dirty = epochs.entries() != entries
        return epochs

    def encode(self) -> bytes:
        lines = [f"{epoch} {start}\n" for epoch, start in self.entries()]
        return f"0\n{len(lines)}\n{''.join(lines)}".encode()

    def entries(self) -> list[tuple[int, int]]:
        """(epoch, start offset), oldest first."""
        return list(zip(self._epochs, self._starts, strict=True))

    @property
    def latest_epoch(self) -> int:
        """The newest epoch, -1 without one."""
        return self._epochs[-1] if self._epochs else UNDEFINED_EPOCH

    @property
    def earliest(self) -> tuple[int, int] | None:
        """The oldest (epoch, start offset)."""
        return (self._epochs[0], self._starts[0]) if self._epochs else None

    def assign(self, epoch: int, start_offset: int) -> None:
        """Epoch `epoch` begins at `start_offset`; entries that contradict this are dropped, as Kafka does."""
        if epoch < 0:
            return
        if self._epochs and epoch == self._epochs[-1] and start_offset >= self._starts[-1]:
            return
        while self._epochs and (self._epochs[-1] >= epoch or self._starts[-1] >= start_offset):
            self._epochs.pop()
            self._starts.pop()
        self._epochs.append(epoch)
        self._starts.append(start_offset)
        self.dirty = True

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(the largest known epoch that is at most `epoch`, the offset at which it ends), KIP-279.

        (-1, -1) for an epoch beyond the latest; an epoch below the earliest ends where the earliest begins.
        """
        if epoch == UNDEFINED_EPOCH or not self._epochs or epoch > self._epochs[-1]:
            return UNDEFINED_EPOCH, UNDEFINED_OFFSET
        if epoch == self._epochs[-1]:
            return epoch, log_end_offset
        after = bisect_right(self._epochs, epoch)
        return (self._epochs[after - 1] if after else epoch), self._starts[after]

    def epoch_for(self, offset: int) -> int:
        """The epoch in which `offset` was written; -1 if that is not known."""
        after = bisect_right(self._starts, offset)
        return self._epochs[after - 1] if after else UNDEFINED_EPOCH

    def truncate_from_end(self, end_offset: int) -> None:
        """Drop the epochs that begin at `end_offset` or above."""
        keep = bisect_left(self._starts, end_offset)
        if keep < len(self._starts):
            del self._epochs[keep:], self._starts[keep:]
            self.dirty = True

    def truncate_from_start(self, start_offset: int) -> None:
        """Drop the epochs that end at `start_offset` or below; the one that holds it begins there from now on."""
        after = bisect_right(self._starts, start_offset)
        if after > 1 or (after and self._starts[0] != start_offset):
            del self._epochs[: after - 1], self._starts[: after - 1]
            self._starts[0] = start_offset
            self.dirty = True

    def clear(self) -> None:
        self._epochs.clear()
        self._starts.clear()
        self.dirty = True

    def unwritten(self) -> bytes | None:
        """The file's bytes if it must be written, from now on taken as written; else None."""
        if not self.dirty:
            return None
        self.dirty = False
        return self.encode()
