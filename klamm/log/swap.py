"""Compaction that a crash interrupted: finished, or forgotten, when the log is opened.

A cleaned segment is written under `.cleaned` names and synced; then its files become `.swap`, the segments that it
replaces `.deleted`, and at last `.swap` goes (Kafka's order and names, so either can finish what the other began). A
`.swap` beside a `.cleaned` of the same or a lower offset is of a swap that had not begun: both go.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from klamm.kproto.records import HEADER, HEADER_SIZE, LOG_OVERHEAD, MAGIC
from klamm.log.segment import LOG_SUFFIX, SNAPSHOT_SUFFIX, SUFFIXES, LogSegment, file_stem

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.partition_log import PartitionLog

_logger = logging.getLogger(__name__)

CLEANED_SUFFIX: Final = ".cleaned"
SWAP_SUFFIX: Final = ".swap"
_LOG_SWAP: Final = LOG_SUFFIX + SWAP_SUFFIX


def finish_swaps(disk: Disk, directory: str, names: list[str]) -> list[str]:
    """Bring the files of a partition's directory to a state before or after each swap.

    `names` are those in the directory; gives those that are there then. To be called before anything else looks at
    the segments. Raises OSError.
    """
    if not any(name.endswith((CLEANED_SUFFIX, SWAP_SUFFIX)) for name in names):
        return names
    cleaned = [name for name in names if name.endswith(CLEANED_SUFFIX)]
    first_cleaned = min([_offset(name) for name in cleaned], default=1 << 63)
    swaps = [name for name in names if name.endswith(SWAP_SUFFIX)]
    # The .swap files go first: once no .cleaned is left, a .swap means a swap to be finished.
    for name in [name for name in swaps if _offset(name) >= first_cleaned] + cleaned:
        _logger.info("%s/%s removed: its compaction was interrupted", directory, name)
        disk.remove(f"{directory}/{name}")
    swaps = [name for name in swaps if _offset(name) < first_cleaned]
    _remove_replaced(disk, directory, [name for name in swaps if name.endswith(_LOG_SWAP)])
    # The log last: as long as its name says .swap, all of this can be done again.
    for name in sorted(swaps, key=lambda name: (name.endswith(_LOG_SWAP), name)):
        _logger.info("%s/%s takes the place of the segments that it was compacted from", directory, name)
        disk.rename(f"{directory}/{name}", f"{directory}/{name[: -len(SWAP_SUFFIX)]}")
    disk.fsync_directory(directory)
    return disk.list_directory(directory)


def swap_in(log: PartitionLog, base_offset: int, size: int, suffixes: list[str], old: list[LogSegment]) -> list[str]:
    """Put the cleaned segment, synced under `.cleaned` names, in the place of `old`; the paths that are to be deleted.

    On the event loop, in one go, so that readers meet either the old segments or the new one. Views of the old files
    stay valid. `suffixes` are those of the new segment's files. Raises OSError.
    """
    disk, directory = log.log_dir.disk, log.directory
    stem = f"{directory}/{file_stem(base_offset)}"
    for suffix in suffixes:
        disk.rename(stem + suffix + CLEANED_SUFFIX, stem + suffix + SWAP_SUFFIX)
    deleted: list[str] = []
    for segment in old:
        segment.close()
        # The producers' state as of the first offset is as true as it was.
        is_first = segment.base_offset == base_offset
        deleted += segment.rename_to_deleted(s for s in SUFFIXES if not (is_first and s == SNAPSHOT_SUFFIX))
    for suffix in suffixes:
        disk.rename(stem + suffix + SWAP_SUFFIX, stem + suffix)
    new = LogSegment(disk, directory, base_offset, size, old[-1].created_ms)
    new.configure(log.config)
    new.is_sealed = True
    log.segments.replace(old, new)
    log.forget_positions()
    return deleted


def remove_cleaned(disk: Disk, directory: str, base_offset: int) -> None:
    """Remove a cleaned segment that is not to be swapped in. Raises OSError."""
    for suffix in SUFFIXES:
        disk.remove(f"{directory}/{file_stem(base_offset)}{suffix}{CLEANED_SUFFIX}")


def _offset(name: str) -> int:
    """The offset in the name of a segment's file, whatever its suffixes; -1 if it has none."""
    stem = name.partition(".")[0]
    return int(stem) if stem.isdigit() else -1


def _remove_replaced(disk: Disk, directory: str, swaps: list[str]) -> None:
    """Remove every file of the offsets that cleaned segments cover, from the first one's base to the last one's end."""
    if not swaps:
        return
    first = min(_offset(name) for name in swaps)
    end = max(_end_offset(disk, directory, name) for name in swaps)
    for name in disk.list_directory(directory):
        if first <= _offset(name) < end and not name.endswith(SWAP_SUFFIX):
            _logger.info("%s/%s removed: it is compacted", directory, name)
            disk.remove(f"{directory}/{name}")


def _end_offset(disk: Disk, directory: str, name: str) -> int:
    """The offset behind the last batch of a `.log.swap`, which was synced before it got this name."""
    path = f"{directory}/{name}"
    end = _offset(name)
    position, size = 0, disk.size(path)
    file = disk.open(path)
    try:
        while size - position >= HEADER_SIZE:
            header = HEADER.unpack(file.pread(HEADER_SIZE, position))
            end = max(end, header[0] + (header[6] if header[3] >= MAGIC else 0) + 1)
            if header[1] <= 0:
                break
            position += header[1] + LOG_OVERHEAD
    finally:
        file.close()
    return end
