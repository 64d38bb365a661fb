"""A disk on which no byte of a segment is lost: what a recovery would cut or remove is moved aside first.

The repair moves aside what it knows of; this holds for whatever else the recovery may find, by whatever rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.log.disk import RealDisk, RealFile
from klamm.log.segment import LOG_SUFFIX

if TYPE_CHECKING:
    from klamm.log.repair.actions import Doing

_PIECE_BYTES = 1 << 20


class GuardedDisk(RealDisk):
    """The operating system's files, with segments that are moved where others are removed."""

    def __init__(self, doing: Doing) -> None:
        self._doing = doing

    def open(self, path: str, *, create: bool = False) -> RealFile:
        file = super().open(path, create=create)
        return _GuardedFile(file, self._doing) if path.endswith(LOG_SUFFIX) else file

    def remove(self, path: str) -> None:
        if path.endswith(LOG_SUFFIX) and self.exists(path) and self.size(path):
            self._doing.move_file(path, "the recovery has no use for it")
        else:
            super().remove(path)


class _GuardedFile(RealFile):
    """A segment whose bytes are copied before they are cut off."""

    __slots__ = ("_doing",)

    def __init__(self, file: RealFile, doing: Doing) -> None:
        super().__init__(file.path, file._fd)
        self._doing = doing

    def truncate(self, size: int) -> None:
        end = self.size()
        if size < end and self._has_data(size, end):
            self._doing.move_bytes(self.path, size, end, "the recovery cuts it off")
        super().truncate(size)

    def _has_data(self, position: int, end: int) -> bool:
        """Whether anything but zeros stands there: preallocated space is none."""
        while position < end:
            data = self.pread(min(_PIECE_BYTES, end - position), position)
            if any(data):
                return True
            position += len(data) or end
        return False
