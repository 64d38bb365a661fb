"""A data directory: whose it is, its checkpoints, and every partition in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from klamm.log import checkpoint, meta_properties
from klamm.log.checkpoint import TopicPartition
from klamm.log.dump.data_files import OFFSET_CHECKPOINTS, partition_name
from klamm.log.log_dir import CLEAN_SHUTDOWN, LOCK
from klamm.log.meta_properties import MetaProperties
from klamm.log.verify.findings import ERROR, INFO, WARNING, Finding, Report
from klamm.log.verify.partition_check import PartitionChecked, PartitionSettings, check_partition

if TYPE_CHECKING:
    from klamm.log.disk import Disk

_TRIES_IN_USE: Final = 4
_SET_ASIDE: Final = {
    "delete": ("a deleted partition", "deleted"),
    "future": ("an unfinished move from another log directory", "gone on with if the replica is there"),
    "stray": ("a partition that the metadata did not know at an earlier start", "left alone; delete it by hand"),
}


class LookingDisk(Protocol):
    """A disk that can tell whether somebody else holds a lock."""

    def is_locked(self, path: str) -> bool: ...


@dataclass
class DirectoryChecked:
    """What the check of a data directory has come to. Checkpoints by file name, partitions by name of directory."""

    path: str
    is_clean: bool = False
    is_running: bool = False
    properties: MetaProperties | None = None
    checkpoints: dict[str, dict[TopicPartition, int]] = field(default_factory=dict)
    malformed: list[str] = field(default_factory=list)
    """Names of checkpoints that cannot be read."""
    lowered: dict[str, dict[TopicPartition, int]] = field(default_factory=dict)
    """Entries that say more than the log holds, with what they should say."""
    partitions: dict[str, PartitionChecked] = field(default_factory=dict)
    futures: set[TopicPartition] = field(default_factory=set)
    """Of copies of unfinished moves, which checkpoints tell of as well."""


def is_data_directory(disk: Disk, path: str) -> bool:
    """Whether the directory holds partitions (and not the files of one)."""
    return partition_name(path) is None or disk.exists(f"{path}/{meta_properties.FILE}")


def check_directory(
    disk: Disk,
    path: str,
    report: Report,
    *,
    is_running: bool = False,
    is_deep: bool = False,
    progress: Callable[[int], None] | None = None,
) -> DirectoryChecked:
    """Check a whole data directory, except what the metadata log says of it. Raises OSError."""
    checked = DirectoryChecked(path, is_running=is_running)
    checked.is_clean = disk.exists(f"{path}/{CLEAN_SHUTDOWN}")
    if is_running:
        message = "a broker is running on it: what is being written may look unfinished"
        report(Finding(INFO, "in_use", f"{path}/{LOCK}", message, "none"))
    elif not checked.is_clean:
        message = "the last stop was not clean"
        report(Finding(INFO, "unclean_stop", f"{path}/{CLEAN_SHUTDOWN}", message, "logs are read from recovery points"))
    _check_identity(disk, checked, report)
    for name in OFFSET_CHECKPOINTS:
        _read_checkpoint(disk, checked, name, report)
    names = disk.list_directory(path)
    for name in names:
        inner = f"{path}/{name}"
        parsed = partition_name(name) if disk.is_directory(inner) else None
        if parsed is None:
            if disk.is_directory(inner) and name != "remote-log-index-cache":
                recovery = "Kafka and klamm refuse to start"
                report(Finding(ERROR, "odd_directory", inner, "no partition has such a name", recovery))
        elif parsed.state is not None:
            message, recovery = _SET_ASIDE[parsed.state]
            report(Finding(INFO, f"{parsed.state}_directory", inner, message, recovery))
            if parsed.state == "future":
                checked.futures.add((parsed.topic, parsed.partition))
        else:
            settings = _settings(checked, (parsed.topic, parsed.partition), is_deep, progress)
            if is_running:
                found = _check_in_use(disk, inner, settings, report)
                if found is not None:
                    checked.partitions[name] = found
            else:
                checked.partitions[name] = check_partition(disk, inner, settings, report)
    _check_offsets(checked, report)
    return checked


def _check_in_use(disk: Disk, path: str, settings: PartitionSettings, report: Report) -> PartitionChecked | None:
    """Check a partition that is written meanwhile: what is wrong stays wrong, what was under way is gone the next time.

    None if the partition is gone.
    """
    before: set[tuple[str, str, int | None]] | None = None
    found: list[Finding] = []
    checked = PartitionChecked()
    for _ in range(_TRIES_IN_USE):
        found.clear()
        try:
            checked = check_partition(disk, path, settings, found.append)
        except FileNotFoundError:
            if not disk.exists(path):
                return None
            continue  # a segment was deleted
        wrong = {(f.code, f.file, f.offset) for f in found if f.severity != INFO}
        before = wrong if before is None else before & wrong
        if not before:
            break
    for finding in found:
        if finding.severity == INFO or (finding.code, finding.file, finding.offset) in (before or ()):
            report(finding)
    return checked


def _settings(
    checked: DirectoryChecked, key: TopicPartition, is_deep: bool, progress: Callable[[int], None] | None
) -> PartitionSettings:
    return PartitionSettings(
        is_clean=checked.is_clean,
        is_running=checked.is_running,
        is_deep=is_deep,
        recovery_point=checked.checkpoints.get(checkpoint.RECOVERY_POINT, {}).get(key, 0),
        log_start_offset=checked.checkpoints.get(checkpoint.LOG_START_OFFSET, {}).get(key, 0),
        progress=progress,
    )


def _check_identity(disk: Disk, checked: DirectoryChecked, report: Report) -> None:
    path = f"{checked.path}/{meta_properties.FILE}"
    try:
        checked.properties = meta_properties.read(disk, path)
    except meta_properties.InvalidMetaProperties as error:
        message = str(error).removeprefix(f"{path}: ")
        report(Finding(ERROR, "malformed_meta_properties", path, message, "Kafka and klamm refuse to start"))
        return
    if checked.properties is None:
        message = "the directory has not been formatted"
        report(Finding(ERROR, "missing_meta_properties", path, message, "Kafka refuses it; klamm formats it"))


def _read_checkpoint(disk: Disk, checked: DirectoryChecked, name: str, report: Report) -> None:
    path = f"{checked.path}/{name}"
    try:
        checked.checkpoints[name] = checkpoint.read_offsets(disk, path)
    except checkpoint.MalformedCheckpoint as error:
        checked.malformed.append(name)
        recovery = "klamm goes on without it; Kafka takes the log directory offline or goes on, by the file"
        report(Finding(ERROR, "malformed_checkpoint", path, str(error).removeprefix(f"{path} "), recovery))


_TOO_HIGH: Final = {
    checkpoint.RECOVERY_POINT: (WARNING, "taken as the end of the log"),
    checkpoint.HIGH_WATERMARK: (WARNING, "taken as the end of the log"),
    checkpoint.LOG_START_OFFSET: (ERROR, "the log begins anew there, and what is in it is deleted"),
    checkpoint.CLEANER_OFFSET: (WARNING, "the cleaner begins with the start of the log"),
}


def _check_offsets(checked: DirectoryChecked, report: Report) -> None:
    for name, offsets in checked.checkpoints.items():
        path = f"{checked.path}/{name}"
        severity, recovery = _TOO_HIGH[name]
        for (topic, index), offset in sorted(offsets.items()):
            found = checked.partitions.get(f"{topic}-{index}")
            if found is None and (topic, index) in checked.futures:
                continue
            if found is None:
                message = f"{topic}-{index} is not in this directory"
                report(Finding(INFO, "checkpoint_without_partition", path, message, "the entry is dropped"))
            elif offset > found.end_offset and not checked.is_running:
                message = f"{topic}-{index} has {offset}, its log ends at {found.end_offset}"
                report(Finding(severity, "checkpoint_beyond_log", path, message, recovery, offset))
                checked.lowered.setdefault(name, {})[topic, index] = found.end_offset
            elif offset < 0:
                message = f"{topic}-{index} has {offset}"
                report(Finding(WARNING, "negative_checkpoint", path, message, "taken as 0", offset))
                checked.lowered.setdefault(name, {})[topic, index] = 0
