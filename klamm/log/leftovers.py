"""Directories of partitions under another name: being deleted, moved from one log directory to another, or strays.

A rename is how Kafka takes a partition away in one step; what it begins is finished at the next start.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.log import partition_metadata
from klamm.log.partition_metadata import InconsistentTopicId

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.log_dir import LogDir
    from klamm.seams import Entropy

_logger = logging.getLogger(__name__)

DELETE_SUFFIX: Final = "-delete"
FUTURE_SUFFIX: Final = "-future"
STRAY_SUFFIX: Final = "-stray"
_NAME_BYTES_MAX: Final = 255
_SUFFIXED: Final = re.compile(r"(?P<partition>\S+-\S+)\.\S+(?P<suffix>-delete|-future|-stray)\Z")
_PARTITION: Final = re.compile(r"(?P<topic>.+)-(?P<partition>\d{1,10})\Z", re.ASCII | re.DOTALL)


class PartitionName(NamedTuple):
    """The name of a partition's directory; `suffix` is empty or one of the three."""

    topic: str
    partition: int
    suffix: str = ""


def parse_name(name: str) -> PartitionName | None:
    """None for a name that no partition's directory can have."""
    suffixed = _SUFFIXED.match(name)
    if suffixed is None and name.endswith((DELETE_SUFFIX, FUTURE_SUFFIX, STRAY_SUFFIX)):
        return None
    match = _PARTITION.match(name if suffixed is None else suffixed["partition"])
    if match is None:
        return None
    return PartitionName(match["topic"], int(match["partition"]), "" if suffixed is None else suffixed["suffix"])


def suffixed_name(topic: str, index: int, suffix: str, entropy: Entropy) -> str:
    """What a partition's directory is renamed to; a long topic is cut, so that the name fits its 255 bytes."""
    rest = f"-{index}.{entropy.uuid().hex()}{suffix}"
    return topic[: _NAME_BYTES_MAX - len(rest)] + rest


def topic_id_of(disk: Disk, path: str) -> bytes | None:
    """The topic id that a partition's directory names. Raises OSError for a file that cannot be understood:

    Kafka takes the log directory offline then.
    """
    try:
        return partition_metadata.read_topic_id(disk, f"{path}/{partition_metadata.FILE}")
    except InconsistentTopicId as error:
        raise OSError(str(error)) from None


def begin_delete(directory: LogDir, name: str, topic: str, index: int, delay_ms: int) -> None:
    """Take a partition's directory away at once, its files after `delay_ms`. Raises OSError."""
    target = f"{directory.path}/{suffixed_name(topic, index, DELETE_SUFFIX, directory.entropy)}"
    directory.disk.rename(f"{directory.path}/{name}", target)
    directory.delete_later([target], delay_ms)


def make_stray(directory: LogDir, name: str, topic: str, index: int) -> None:
    """Keep a partition that the metadata does not know, out of the way. Raises OSError."""
    target = suffixed_name(topic, index, STRAY_SUFFIX, directory.entropy)
    directory.disk.rename(f"{directory.path}/{name}", f"{directory.path}/{target}")
    directory.disk.fsync_directory(directory.path)
    _logger.warning(
        "%s/%s is not known to the metadata: renamed to %s; delete it when nobody misses it",
        directory.path,
        name,
        target,
    )


def resume(directory: LogDir, name: str, parsed: PartitionName, delay_ms: int) -> None:
    """Go on deleting what was being deleted; leave the rest alone, and say so."""
    path = f"{directory.path}/{name}"
    if parsed.suffix == DELETE_SUFFIX:
        directory.delete_later([path], delay_ms)
    elif parsed.suffix == STRAY_SUFFIX:
        _logger.warning("%s is a stray of an earlier start; nothing uses it", path)
    else:
        leave_alone(path)


def leave_alone(path: str) -> None:
    """A copy whose replica is not here, so that it cannot be gone on with."""
    _logger.warning("%s is an unfinished move of a replica; nothing uses it", path)


def promote(directory: LogDir, name: str, parsed: PartitionName) -> str:
    """End a move whose target the metadata has taken over already; the partition's new name. Raises OSError."""
    target = f"{parsed.topic}-{parsed.partition}"
    directory.disk.rename(f"{directory.path}/{name}", f"{directory.path}/{target}")
    directory.disk.fsync_directory(directory.path)
    _logger.info("%s/%s has become %s: the metadata has the replica here", directory.path, name, target)
    return target
