"""Index files brought up to date off the event loop: what to write is taken out of the segment beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.log.disk import Disk


class IndexWrites:
    """Writes of index files, taken out of a segment to run on another thread."""

    __slots__ = ("_disk", "_jobs", "_segment_path")

    def __init__(self, disk: Disk, segment_path: str, jobs: list[tuple[str, int, bytes]]) -> None:
        self._disk = disk
        self._segment_path = segment_path
        self._jobs = jobs

    def __call__(self) -> None:
        for path, position, data in self._jobs:
            file = self._disk.open(path, create=True)
            try:
                file.pwrite(data, position)
                file.truncate(position + len(data))
                file.fsync()
            finally:
                file.close()
            if not self._disk.exists(self._segment_path):
                self._disk.remove(path)  # the segment was deleted before its index had a file
