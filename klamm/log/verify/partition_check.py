"""A partition's directory: its segments one after another, and all the files that say something of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from klamm.log import checkpoint, epoch_checkpoint, partition_metadata
from klamm.log.dump import data_files
from klamm.log.dump.batch_walk import BatchAt
from klamm.log.dump.data_files import data_file
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.segment import LOG_SUFFIX, file_stem
from klamm.log.verify.findings import ERROR, INFO, WARNING, Damage, Finding, Report, WrongEpoch
from klamm.log.verify.producer_check import ProducerCheck
from klamm.log.verify.segment_check import OFFSET_MAX, Segment, check_segment

if TYPE_CHECKING:
    from klamm.log.disk import Disk

_INDEXES: Final = (data_files.OFFSET_INDEX, data_files.TIME_INDEX, data_files.TXN_INDEX)
_EPOCHS_REBUILT: Final = "Kafka takes its log directory offline for it; klamm takes the epochs from the batches"


@dataclass(frozen=True)
class PartitionSettings:
    """What is known from outside of the partition's directory."""

    is_clean: bool = False
    """Whether the last stop was clean."""
    is_running: bool = False
    is_deep: bool = False
    recovery_point: int = 0
    log_start_offset: int = 0
    progress: Callable[[int], None] | None = None


@dataclass
class PartitionChecked:
    """What the check of a partition has come to; `repair` goes by it."""

    start_offset: int = 0
    end_offset: int = 0
    base_offsets: list[int] = field(default_factory=list)
    topic_id: bytes | None = None
    damages: list[Damage] = field(default_factory=list)
    wrong_files: list[str] = field(default_factory=list)
    """Files that must be made anew, or go."""
    is_index_wrong: bool = False
    wrong_epochs: list[WrongEpoch] = field(default_factory=list)

    @property
    def needs_repair(self) -> bool:
        return bool(self.damages or self.wrong_files or self.is_index_wrong or self.wrong_epochs)


class PartitionCheck:
    """One run over a partition's directory. Raises OSError."""

    def __init__(self, disk: Disk, directory: str, settings: PartitionSettings, report: Report) -> None:
        self._disk = disk
        self._directory = directory
        self._settings = settings
        self._report = report
        self._names = disk.list_directory(directory)
        self._checked = PartitionChecked()
        self._epochs: list[
            tuple[int, int, int]
        ] = []  # epoch, its first batch's offset, the offset behind the one before
        self._raised: tuple[str, int, int] | None = None
        """Where the last batch has raised the epoch (path, position) and from which; None if it did not."""
        self._next_offset = 0

    def run(self) -> PartitionChecked:
        checked = self._checked
        checked.base_offsets = sorted(
            int(stem)
            for name in self._names
            if name.endswith(LOG_SUFFIX) and (stem := name[: -len(LOG_SUFFIX)]).isdecimal() and len(stem) == 20
        )
        self._check_names()
        bases = checked.base_offsets
        checked.start_offset = max(bases[0] if bases else 0, self._settings.log_start_offset)
        self._next_offset = bases[0] if bases else checked.start_offset
        producers = ProducerCheck(self._disk, self._directory, self._names, self._next_offset, self._report)

        for place, base_offset in enumerate(bases):
            following = bases[place + 1] if place + 1 < len(bases) else OFFSET_MAX
            segment = self._segment(base_offset, following)

            def on_batch(step: BatchAt, path: str = segment.path()) -> None:
                self._take_epoch(step, path)
                producers.on_batch(step.batch)
                self._next_offset = step.batch.next_offset

            done = check_segment(
                self._disk, segment, self._next_offset, self._report, on_batch, self._settings.progress
            )
            producers.on_segment_end(base_offset)
            checked.damages += done.damages
            checked.is_index_wrong = checked.is_index_wrong or done.is_index_wrong
            self._next_offset = max(self._next_offset, base_offset)
        if not checked.damages:
            producers.finish()
        checked.end_offset = self._next_offset
        checked.wrong_files += producers.wrong
        self._check_epochs()
        self._check_partition_metadata()
        return checked

    def _segment(self, base_offset: int, following: int) -> Segment:
        settings = self._settings
        is_reread = not settings.is_clean and following > settings.recovery_point
        return Segment(
            self._directory,
            base_offset,
            following,
            is_reread=is_reread,
            is_clean=settings.is_clean,
            is_running=settings.is_running,
            is_deep=settings.is_deep,
        )

    # -- names --

    def _check_names(self) -> None:
        stems = {file_stem(offset) for offset in self._checked.base_offsets}
        pending: Counter[str] = Counter()
        for name in self._names:
            path = f"{self._directory}/{name}"
            file = data_file(path)
            if name.endswith(".quarantine"):
                self._report(Finding(INFO, "quarantine", path, "what a repair has moved aside", "left alone"))
            elif file is None:
                continue
            elif file.pending is not None:
                pending[file.pending] += 1
            elif file.kind in _INDEXES and name.partition(".")[0] not in stems:
                self._report(Finding(WARNING, "index_without_segment", path, "there is no such segment", "deleted"))
                self._checked.wrong_files.append(path)
            elif file.kind == data_files.LOG and name.partition(".")[0] not in stems:
                self._report(Finding(ERROR, "odd_name", path, "no segment has such a name", "ignored, or a failure"))

        for suffix, count in pending.items():
            recovery = "the compaction is finished" if suffix == ".swap" else "deleted"
            message = f"{count} files wait as {suffix}"
            self._report(Finding(INFO, "pending", self._directory, message, recovery))

    # -- epochs --

    def _take_epoch(self, step: BatchAt, path: str) -> None:
        epoch, offset = step.batch.partition_leader_epoch, step.batch.base_offset
        latest = self._epochs[-1][0] if self._epochs else -1
        if epoch < 0:
            return
        if epoch > latest:
            self._epochs.append((epoch, offset, self._next_offset))
            self._raised = path, step.position, latest
        elif epoch < latest:
            if self._raised is not None and epoch >= self._raised[2] >= 0:
                # The batch before this one was the odd one: it alone had that epoch.
                path, position, before = self._raised
                odd, first, behind = self._epochs.pop()
                right = self._told_epoch(first, before, epoch)
                self._wrong_epoch(WrongEpoch(path, position, odd, right), first)
                if epoch > before:
                    self._epochs.append(
                        (epoch, first, behind) if right == epoch else (epoch, offset, self._next_offset)
                    )
            else:
                right = self._told_epoch(offset, latest, latest)
                self._wrong_epoch(WrongEpoch(path, step.position, epoch, right), offset)
            self._raised = None
        else:
            self._raised = None

    def _told_epoch(self, offset: int, low: int, high: int) -> int:
        """The epoch of `offset`, between those of its neighbours: what the checkpoint says if that fits."""
        path = f"{self._directory}/{epoch_checkpoint.FILE}"
        try:
            told = LeaderEpochs.decode(self._disk.read(path), path).epoch_for(offset)
        except (FileNotFoundError, checkpoint.MalformedCheckpoint):
            return low
        return told if low <= told <= high else low

    def _wrong_epoch(self, wrong: WrongEpoch, offset: int) -> None:
        message = f"leader epoch {wrong.epoch} beside batches of epoch {wrong.neighbours_epoch}"
        recovery = "none: the epoch is believed; no checksum covers it"
        self._report(Finding(ERROR, "wrong_epoch", wrong.path, message, recovery, offset, wrong.position))
        self._checked.wrong_epochs.append(wrong)

    def _check_epochs(self) -> None:
        path = f"{self._directory}/{epoch_checkpoint.FILE}"
        checked, settings = self._checked, self._settings
        try:
            epochs = LeaderEpochs.decode(self._disk.read(path), path)
        except FileNotFoundError:
            if self._epochs and (settings.is_clean or self._epochs[0][1] < settings.recovery_point):
                self._wrong_epochs(path, WARNING, "missing_epochs", "the file is missing", "taken from the batches")
            return
        except checkpoint.MalformedCheckpoint as error:
            self._wrong_epochs(path, ERROR, "malformed_epochs", str(error), _EPOCHS_REBUILT)
            return
        entries = epochs.entries()
        if epochs.dirty:
            self._wrong_epochs(path, ERROR, "epochs_mismatch", "epochs and offsets do not rise", "entries are dropped")
            return
        if checked.damages:
            return
        if entries and entries[-1][1] > checked.end_offset:
            message = f"epoch {entries[-1][0]} begins at {entries[-1][1]}, the log ends at {checked.end_offset}"
            self._wrong_epochs(path, WARNING, "epochs_beyond_log", message, "the entry is dropped", entries[-1][1])
        starts = dict(entries)
        for epoch, first, behind in self._epochs:
            start = starts.get(epoch)
            if entries and epoch <= entries[0][0] and first < entries[0][1]:
                # Epochs are cut with the log start offset, which a crash may have set back since.
                message = f"the file begins with offset {entries[0][1]}, the batches with {first}"
                self._report(Finding(INFO, "epochs_begin_later", path, message, "none needed", first))
                continue
            if start is None:
                if first >= settings.recovery_point and not settings.is_clean:
                    continue  # the file is written at flushes; the start takes the rest from the batches
                message = f"epoch {epoch}, which the batches have from offset {first} on, is missing"
                self._wrong_epochs(path, ERROR, "epochs_mismatch", message, "none", first)
            elif not (start <= first and (start >= behind or behind <= checked.start_offset)):
                message = (
                    f"epoch {epoch} begins at {start}, in the batches at {first} (the one before ends at {behind})"
                )
                self._wrong_epochs(path, ERROR, "epochs_mismatch", message, "none", start)

    def _wrong_epochs(
        self, path: str, severity: str, code: str, message: str, recovery: str, offset: int | None = None
    ) -> None:
        self._report(Finding(severity, code, path, message.removeprefix(f"{path} "), recovery, offset))
        if path not in self._checked.wrong_files:
            self._checked.wrong_files.append(path)

    # -- identity --

    def _check_partition_metadata(self) -> None:
        path = f"{self._directory}/{partition_metadata.FILE}"
        try:
            self._checked.topic_id = partition_metadata.read_topic_id(self._disk, path)
        except partition_metadata.InconsistentTopicId as error:
            recovery = "the log directory is taken offline; 'klamm log repair' writes the id that the metadata has"
            self._report(Finding(ERROR, "malformed_partition_metadata", path, str(error), recovery))
            self._checked.wrong_files.append(path)
            return
        if self._checked.topic_id is None:
            recovery = "written anew from the metadata; Kafka takes a partition without it for a stray"
            self._report(Finding(WARNING, "missing_partition_metadata", path, "the file is missing", recovery))


def check_partition(disk: Disk, directory: str, settings: PartitionSettings, report: Report) -> PartitionChecked:
    """Check everything in a partition's directory. Raises OSError."""
    return PartitionCheck(disk, directory, settings, report).run()
