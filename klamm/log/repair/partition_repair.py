"""Mending one partition: damage goes aside, then the log is recovered from its first byte on, as after a crash.

The recovery is the broker's own (`log/recovery.py`), so that what it makes anew (indexes, aborted transactions,
producer snapshots, epochs) is what a start would make. What that recovery would delete has been moved aside before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from klamm.kproto.errors import KafkaError
from klamm.kproto.records import PARTITION_LEADER_EPOCH_AT
from klamm.kproto.uuids import uuid_text
from klamm.log import epoch_checkpoint, partition_metadata, recovery, upkeep
from klamm.log.dump.data_files import partition_name
from klamm.log.io_thread import InlineIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import LogDir
from klamm.log.repair.actions import CUT, DROP, REBUILD, WRITE, Action, Doing, copy_bytes
from klamm.log.repair.guarded_disk import GuardedDisk
from klamm.log.segment import (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    SUFFIXES,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    file_stem,
)

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.partition_log import PartitionLog
    from klamm.log.verify.findings import Damage, WrongEpoch
    from klamm.log.verify.partition_check import PartitionChecked
    from klamm.seams import Clock, Entropy

_NEVER_MS: Final = 1 << 62
_REPAIRED_SUFFIX: Final = ".repaired.tmp"


@dataclass(frozen=True)
class PartitionPlan:
    """What is known of the partition. `topic_id` is the metadata's, None if it knows no such topic."""

    directory: str
    checked: PartitionChecked
    config: LogConfig
    topic_id: bytes | None = None
    log_start_offset: int = 0
    cleaned_offset: int = 0
    """What is below has been compacted."""
    is_drop_wanted: bool = False
    """Keep what stands behind damage, with a gap in the offsets, instead of cutting the log there."""


def repair_partition(doing: Doing, plan: PartitionPlan, clock: Clock, entropy: Entropy) -> int:
    """Mend it; the log's end offset then, or as it would be. Raises OSError, KafkaError."""
    checked = plan.checked
    end_offset = checked.end_offset
    _mend_epochs(doing, checked.wrong_epochs)
    if checked.damages:
        if plan.is_drop_wanted:
            _drop(doing, checked.damages)
        else:
            end_offset = _cut(doing, plan)
    metadata_path = f"{plan.directory}/{partition_metadata.FILE}"
    for path in checked.wrong_files:
        if doing.is_dry_run or doing.disk.exists(path):
            doing.move_file(path, "it does not agree with the log" if path != metadata_path else "it cannot be read")
    if checked.topic_id is None and plan.topic_id is not None:
        topic_id = plan.topic_id
        doing.do(
            Action(WRITE, metadata_path, f"topic id {uuid_text(topic_id)}, as the metadata has it"),
            lambda: partition_metadata.write_topic_id(doing.disk, metadata_path, topic_id),
        )
    if checked.needs_repair:
        message = "indexes, aborted transactions, producer snapshots and leader epochs are made anew from the batches"
        ends: list[int] = []
        doing.do(
            Action(REBUILD, plan.directory, message),
            lambda: ends.append(_recover(doing, plan, clock, entropy)),
        )
        end_offset = ends[0] if ends else end_offset
    return end_offset


# -- damage --


def _mend_epochs(doing: Doing, wrong: list[WrongEpoch]) -> None:
    """Give batches the leader epoch of their neighbours. What stood there is told: no bytes are worth keeping."""
    for odd in wrong:
        message = f"leader epoch {odd.neighbours_epoch} instead of {odd.epoch} in the batch at {odd.position}"
        doing.do(Action(WRITE, odd.path, message), lambda odd=odd: _write_epoch(doing.disk, odd))  # type: ignore[misc]


def _write_epoch(disk: Disk, odd: WrongEpoch) -> None:
    file = disk.open(odd.path)
    try:
        file.pwrite(odd.neighbours_epoch.to_bytes(4, "big"), odd.position + PARTITION_LEADER_EPOCH_AT)
        file.fsync()
    finally:
        file.close()


def _cut(doing: Doing, plan: PartitionPlan) -> int:
    """End the log at the first damage; the rest goes aside. The end offset then."""
    first = min(plan.checked.damages, key=lambda damage: (damage.path, damage.position))
    size = doing.disk.size(first.path)
    doing.move_bytes(first.path, first.position, size, f"the log ends before this damage: {first.reason}")

    def cut() -> None:
        file = doing.disk.open(first.path)
        try:
            file.truncate(first.position)
            file.fsync()
        finally:
            file.close()

    doing.do(Action(CUT, first.path, f"to {first.position} of {size} bytes, offset {first.offset}"), cut)
    for base_offset in plan.checked.base_offsets:
        stem = f"{plan.directory}/{file_stem(base_offset)}"
        if stem + LOG_SUFFIX <= first.path:
            continue
        for suffix in SUFFIXES:
            if doing.disk.exists(stem + suffix):
                doing.move_file(stem + suffix, "it lies behind the damage")
    return first.offset


def _drop(doing: Doing, damages: list[Damage]) -> None:
    """Take the damaged bytes out of each segment and keep what stands around them."""
    for path in sorted({damage.path for damage in damages}):
        ranges = sorted((d.position, d.end) for d in damages if d.path == path)
        for damage in sorted((d for d in damages if d.path == path), key=lambda d: d.position):
            doing.move_bytes(path, damage.position, damage.end, damage.reason)
        taken = sum(end - position for position, end in ranges)
        message = (
            f"{taken} bytes in {len(ranges)} place{'s' if len(ranges) > 1 else ''} are taken out, the rest is kept"
        )
        doing.do(Action(DROP, path, message), lambda path=path, ranges=ranges: _without(doing.disk, path, ranges))  # type: ignore[misc]


def _without(disk: Disk, path: str, ranges: list[tuple[int, int]]) -> None:
    """Replace the file by one without those ranges; a crash leaves the one or the other."""
    temporary = path + _REPAIRED_SUFFIX
    source, target = disk.open(path), disk.open(temporary, create=True)
    try:
        target.truncate(0)
        position = at = 0
        for begin, end in [*ranges, (source.size(), source.size())]:
            at = copy_bytes(source, position, begin, target, at)
            position = max(position, end)
        target.fsync()
    finally:
        source.close()
        target.close()
    disk.rename(temporary, path)
    disk.fsync_directory(path.rpartition("/")[0])


# -- recovery --


def _recover(doing: Doing, plan: PartitionPlan, clock: Clock, entropy: Entropy) -> int:
    """Open the log as after a crash before its first sync, and close it cleanly; its end offset."""
    name = partition_name(plan.directory)
    topic, index = (name.topic, name.partition) if name is not None else (plan.directory, 0)
    io = InlineIo()
    log_dir = LogDir(plan.directory.rpartition("/")[0], GuardedDisk(doing), clock, entropy, writer=io, flusher=io)
    log_dir.producer_id_expiration_ms = _NEVER_MS  # what a start may forget is not ours to forget
    log = recovery.open_log(
        log_dir,
        plan.directory,
        topic,
        index,
        plan.config,
        is_clean=False,
        recovery_point=0,
        log_start_offset=plan.log_start_offset,
        cleaned_offset=plan.cleaned_offset,
    )
    end_offset = log.log_end_offset
    try:
        upkeep.close(log)
    except KafkaError:
        if log_dir.failure is not None:
            raise log_dir.failure from None
        raise
    _finish_empty(doing.disk, log)
    return end_offset


def _finish_empty(disk: Disk, log: PartitionLog) -> None:
    """A close writes nothing for what holds no batch; indexes and epochs of what was there must not stay.

    An index that is missing makes Kafka forget the log's producers, even after a clean stop: empty ones are left.
    """
    for segment in log.segments:
        if not segment.size:
            disk.remove(segment.path_of(TXN_INDEX_SUFFIX))
            for suffix in (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX):
                disk.write_atomic(segment.path_of(suffix), b"")
    path = f"{log.directory}/{epoch_checkpoint.FILE}"
    if disk.exists(path) and disk.read(path) != log.epochs.encode():
        disk.write_atomic(path, log.epochs.encode())
