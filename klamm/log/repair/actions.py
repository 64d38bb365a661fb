"""What a repair does, step by step, each told before it is done; and the moving aside of bytes.

Nothing is deleted that could be data: bytes go into a file beside their own, whose name ends with `.quarantine` and
says where they stood. Kafka and klamm leave such files alone, and they go when their partition is deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from klamm.log.disk import Disk

QUARANTINE_SUFFIX: Final = ".quarantine"
_PIECE_BYTES: Final = 1 << 20

MOVE_BYTES: Final = "move_bytes"
MOVE_FILE: Final = "move_file"
CUT: Final = "cut"
DROP: Final = "drop"
REBUILD: Final = "rebuild"
WRITE: Final = "write"
LEAVE: Final = "leave"
"""Not an action: what this repair cannot mend."""


class Action(NamedTuple):
    """One step. `quarantine`: where what is taken away stands from now on."""

    action: str
    file: str
    message: str
    quarantine: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if value is not None}


class Doing:
    """Tells each action, and does it unless this is a rehearsal."""

    def __init__(self, disk: Disk, tell: Callable[[Action], None], is_dry_run: bool) -> None:
        self.disk = disk
        self.is_dry_run = is_dry_run
        self.count = 0
        self.left = 0
        self._tell = tell

    def do(self, action: Action, work: Callable[[], object]) -> None:
        """Tell it, then do it. Raises OSError."""
        self.count += 1
        self._tell(action)
        if not self.is_dry_run:
            work()

    def leave(self, file: str, message: str) -> None:
        """Tell what is not mended."""
        self.left += 1
        self._tell(Action(LEAVE, file, message))

    def move_file(self, path: str, message: str) -> None:
        """Rename a file out of the way."""
        target = self._free(path + QUARANTINE_SUFFIX)
        directory = path.rpartition("/")[0]

        def work() -> None:
            self.disk.rename(path, target)
            self.disk.fsync_directory(directory)

        self.do(Action(MOVE_FILE, path, message, target), work)

    def move_bytes(self, path: str, position: int, end: int, message: str) -> None:
        """Copy [position, end) of a file into a file of its own, synced. Taking them away is the caller's."""
        target = self._free(f"{path}.{position}-{end}{QUARANTINE_SUFFIX}")
        what = f"{end - position} bytes at {position}: {message}"
        self.do(Action(MOVE_BYTES, path, what, target), lambda: self._copy_to(path, position, end, target))

    def _copy_to(self, path: str, position: int, end: int, target: str) -> None:
        source, copy = self.disk.open(path), self.disk.open(target, create=True)
        try:
            copy_bytes(source, position, end, copy, 0)
            copy.fsync()
        finally:
            source.close()
            copy.close()
        self.disk.fsync_directory(path.rpartition("/")[0])

    def _free(self, path: str) -> str:
        """`path`, or with a number where an earlier repair has left a file of that name."""
        stem, number, found = path.removesuffix(QUARANTINE_SUFFIX), 1, path
        while self.disk.exists(found):
            number += 1
            found = f"{stem}.{number}{QUARANTINE_SUFFIX}"
        return found


def copy_bytes(source: Any, position: int, end: int, target: Any, at: int) -> int:
    """Copy [position, end) of an open file to `at` of another; the position behind it there."""
    while position < end:
        data = source.pread(min(_PIECE_BYTES, end - position), position)
        if not data:
            break
        target.pwrite(data, at)
        position += len(data)
        at += len(data)
    return at
