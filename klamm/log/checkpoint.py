"""Kafka's checkpoint files of a log directory: one offset a partition.

Text: a line `0` (the version), a line with the number of entries, then a line `<topic> <partition> <offset>` each.
Written whole, atomically.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from klamm.log.disk import Disk

RECOVERY_POINT: Final = "recovery-point-offset-checkpoint"
HIGH_WATERMARK: Final = "replication-offset-checkpoint"
LOG_START_OFFSET: Final = "log-start-offset-checkpoint"
CLEANER_OFFSET: Final = "cleaner-offset-checkpoint"

TopicPartition: TypeAlias = tuple[str, int]


class MalformedCheckpoint(Exception):
    """A checkpoint file that does not follow its form."""


def checkpoint_lines(data: bytes, path: str) -> list[list[str]]:
    """The entries of a checkpoint file of any kind, split into words. Raises MalformedCheckpoint."""
    try:
        lines = data.decode().split("\n")
        version, count = int(lines[0]), int(lines[1])
        entries = [line.split() for line in lines[2:] if line.strip()]
    except (ValueError, IndexError):
        raise MalformedCheckpoint(f"{path} does not begin with a version and a count") from None
    if version != 0:
        raise MalformedCheckpoint(f"{path} has version {version}, known is 0")
    if len(entries) != count:
        raise MalformedCheckpoint(f"{path} says that it has {count} entries and has {len(entries)}")
    return entries


def read_offsets(disk: Disk, path: str) -> dict[TopicPartition, int]:
    """Offsets by (topic, partition); none if there is no file. Raises MalformedCheckpoint."""
    try:
        data = disk.read(path)
    except FileNotFoundError:
        return {}
    try:
        return {(topic, int(index)): int(offset) for topic, index, offset in checkpoint_lines(data, path)}
    except ValueError as error:
        raise MalformedCheckpoint(f"{path}: {error}") from None


def write_offsets(disk: Disk, path: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Replace the file."""
    lines = [f"{topic} {index} {offset}\n" for (topic, index), offset in sorted(offsets.items())]
    disk.write_atomic(path, f"0\n{len(lines)}\n{''.join(lines)}".encode())
