"""Kafka's checkpoint files of a log directory: one offset a partition.

Text: a line `0` (the version), a line with the number of entries, then a line `<topic> <partition> <offset>` each.
Written whole, atomically. A file without a byte is one that nobody has written to yet: Kafka makes it at every start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from klamm.log.disk import Disk

RECOVERY_POINT: Final = "recovery-point-offset-checkpoint"
HIGH_WATERMARK: Final = "replication-offset-checkpoint"
LOG_START_OFFSET: Final = "log-start-offset-checkpoint"
CLEANER_OFFSET: Final = "cleaner-offset-checkpoint"

TopicPartition: TypeAlias = tuple[str, int]

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SPACES: Final = re.compile(r"[ \t\f\v]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+\Z")
INT32: Final = 31
INT64: Final = 63


class MalformedCheckpoint(Exception):
    """A checkpoint file that does not follow its form."""


def checkpoint_lines(data: bytes, path: str) -> list[list[str]]:
    """The entries of a checkpoint file of any kind, split into words; none where there is no line with their number.

    Raises MalformedCheckpoint, where Kafka's reader does.
    """
    try:
        lines = _LINE_END.split(data.decode())
    except UnicodeDecodeError:
        raise MalformedCheckpoint(f"{path} is no text") from None
    if not lines[-1]:
        del lines[-1]
    if not lines:
        return []
    if (version := number(lines[0], INT32, path)) != 0:
        raise MalformedCheckpoint(f"{path} has version {version}, known is 0")
    if len(lines) == 1:
        return []
    count = number(lines[1], INT32, path)
    entries = [_SPACES.split(line.rstrip()) for line in lines[2:]]
    if len(entries) != count:
        raise MalformedCheckpoint(f"{path} says that it has {count} entries and has {len(entries)}")
    return entries


def number(text: str, bits: int, path: str) -> int:
    """A decimal number of `bits` bits and a sign. Raises MalformedCheckpoint."""
    if len(text) > 20 or not _NUMBER.match(text) or not -(1 << bits) <= (value := int(text)) < 1 << bits:
        raise MalformedCheckpoint(f"{path} has {text[:40]!r} where a number belongs")
    return value


def read_offsets(disk: Disk, path: str) -> dict[TopicPartition, int]:
    """Offsets by (topic, partition); none if there is no file. Raises MalformedCheckpoint."""
    try:
        data = disk.read(path)
    except FileNotFoundError:
        return {}
    offsets = {}
    for words in checkpoint_lines(data, path):
        if len(words) != 3:
            raise MalformedCheckpoint(f"{path} has the entry {' '.join(words)[:80]!r}")
        offsets[words[0], number(words[1], INT32, path)] = number(words[2], INT64, path)
    return offsets


def write_offsets(disk: Disk, path: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Replace the file."""
    lines = [f"{topic} {index} {offset}\n" for (topic, index), offset in sorted(offsets.items())]
    disk.write_atomic(path, f"0\n{len(lines)}\n{''.join(lines)}".encode())
