"""A file system in memory that fails as real ones do, for tests: it loses power, fills up, returns errors, flips bits.

Whatever it does follows from its seed and the order of the calls. What was written and not synced is lost, kept or torn
when the power goes (`unsynced.py`); everything else behaves as `disk.RealDisk` does. Safe to use from several threads.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from klamm.log.buffers import Buffer
from klamm.log.disk import File, Lock, LockedError
from klamm.log.unsynced import DirectoryNode, FileNode, Names, Node
from klamm.seams import SeededEntropy

Operation: TypeAlias = Literal[
    "open", "create", "read", "write", "truncate", "fsync", "fsync_directory", "rename", "remove", "make_directory",
    "list",
]  # fmt: skip
"""What a fault can be set on. `create` is an open that makes the file, `read` also a view, `list` also a size."""

_CHANGES: Final = frozenset(("create", "write", "truncate", "rename", "remove", "make_directory"))
_SPACE: Final = 1 << 40


class PowerCut(BaseException):
    """The machine stops at this operation (`FaultyDisk.cut_power_after`). No `except Exception` must survive it."""


@dataclass
class Fault:
    """What `FaultyDisk.fail` has set. `met` counts the operations that it made fail."""

    operation: Operation
    error: int
    path: str
    skip: int
    times: int | None
    after_bytes: int
    met: int = 0

    def strikes(self, operation: Operation, path: str) -> bool:
        if operation != self.operation or self.met == self.times or not fnmatch.fnmatchcase(path, self.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.met += 1
        return True


class FaultyDisk:
    """A `Disk` with faults. Without any it is a file system that forgets nothing as long as nobody cuts the power.

    `sector_bytes`: what the device writes whole (512 or 4096). `is_ordered`: names and sizes reach the disk in the
    order of the calls, and syncing a file syncs its name, as with the journals of XFS and ext4; otherwise only what
    POSIX promises. `sleep(ms)` is what a slow fsync waits with: a test's clock, or a real sleep.
    """

    is_memory = False

    def __init__(
        self,
        seed: int = 0,
        *,
        sector_bytes: int = 512,
        is_ordered: bool = False,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.sector_bytes = sector_bytes
        self.is_read_only = False
        """Every change is refused with EROFS."""
        self.capacity_bytes: int | None = None
        """Writes that would make the files larger than this together end short, with ENOSPC."""
        self.fsync_delay_ms = 0.0
        """How long `sleep` is asked to wait within each fsync."""
        self.counts: Counter[Operation] = Counter()
        """How often each operation was begun."""
        self._entropy = SeededEntropy(seed)
        self._sleep = sleep
        self._names = Names(is_ordered=is_ordered)
        self._faults: list[Fault] = []
        self._locked: set[str] = set()
        self._life = 0
        self._until_cut = -1
        self._mutex = threading.RLock()

    # -- faults --

    def fail(
        self,
        operation: Operation,
        error: int = errno.EIO,
        *,
        path: str = "*",
        skip: int = 0,
        times: int | None = 1,
        after_bytes: int = 0,
    ) -> Fault:
        """Let operations on paths like `path` (a shell pattern) fail with `error`.

        `skip` of them pass before, then `times` fail (None: all). A write that fails has written `after_bytes`. A
        failed fsync has written some of the file; the rest is never written, even if the fsync is tried again.
        """
        fault = Fault(operation, error, path, skip, times, after_bytes)
        self._faults.append(fault)
        return fault

    def flip_reads(self, *, path: str = "*", skip: int = 0, times: int | None = 1) -> Fault:
        """Let reads of files like `path` give a wrong bit; the file itself stays as it is."""
        return self.fail("read", 0, path=path, skip=skip, times=times)

    def heal(self) -> None:
        """No fault from now on: space, writes and reads are back. What was lost stays lost."""
        self._faults.clear()
        self.capacity_bytes, self.is_read_only, self.fsync_delay_ms, self._until_cut = None, False, 0.0, -1

    def flip_bit(self, path: str, bit: int | None = None) -> int:
        """Turn a bit of a stored file, one drawn if not told; which one it was. On the disk too."""
        with self._mutex:
            node = self._file(path)
            bit = self._entropy.randrange(len(node.data) * 8) if bit is None else bit
            node.sync()
            image = bytearray(node.data)
            image[bit // 8] ^= 1 << bit % 8
            node.settle(bytes(image))
            return bit

    def cut_power_after(self, operations: int) -> None:
        """Let the machine stop after so many more operations: PowerCut is raised from then on, until `power_cut`."""
        self._until_cut = operations

    def power_cut(self) -> None:
        """The machine stops and starts again: what was not synced is lost, kept or torn; nothing open stays open."""
        with self._mutex:
            self.process_kill()
            self._until_cut = -1
            self._names.settle(self._entropy)
            for node in self._names.files():
                node.settle(node.after_cut(self._entropy, self.sector_bytes, is_ordered=self._names.is_ordered))

    def process_kill(self) -> None:
        """The process ends, the machine runs on: locks are free, files closed, all that was written is still there."""
        with self._mutex:
            self._life += 1
            self._locked.clear()

    def is_synced(self, path: str) -> bool:
        """Whether the bytes of a file are on the disk (its name may not be)."""
        with self._mutex:
            node = self._file(path)
            return not node.changes and not node.is_diverged

    @property
    def used_bytes(self) -> int:
        """The bytes of all files that have a name."""
        return sum(len(node.data) for node in self._names.files())

    def _enter(self, operation: Operation, path: str) -> None:
        """Count an operation, and let it fail if it is to."""
        if self._until_cut >= 0:
            self._until_cut -= 1
            if self._until_cut < 0:
                self._until_cut = 0
                raise PowerCut(f"{operation} {path}")
        self.counts[operation] += 1
        if self.is_read_only and operation in _CHANGES:
            raise _error(errno.EROFS, path)
        if operation in ("read", "write", "fsync"):
            return  # these fail in part, where they are carried out
        fault = self._fault(operation, path)
        if fault is not None:
            raise _error(fault.error, path)

    def _fault(self, operation: Operation, path: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.strikes(operation, path)), None)

    # -- paths --

    def _node(self, path: str) -> Node | None:
        node: Node | None = self._names.root
        for name in path.split("/"):
            if not name:
                continue
            if not isinstance(node, DirectoryNode):
                return None
            node = node.names.get(name)
        return node

    def _file(self, path: str) -> FileNode:
        node = self._node(path)
        if isinstance(node, FileNode):
            return node
        raise _error(errno.ENOENT if node is None else errno.EISDIR, path)

    def _directory(self, path: str) -> DirectoryNode:
        node = self._node(path)
        if isinstance(node, DirectoryNode):
            return node
        raise _error(errno.ENOENT if node is None else errno.ENOTDIR, path)

    def _place(self, path: str) -> tuple[DirectoryNode, str]:
        """The directory of a path, which must exist, and the name in it."""
        parent, _, name = path.rstrip("/").rpartition("/")
        return self._directory(parent), name

    # -- the disk --

    def open(self, path: str, *, create: bool = False) -> File:
        with self._mutex:
            node = self._node(path)
            if node is None and create:
                self._enter("create", path)
                directory, name = self._place(path)
                fresh = FileNode()
                self._names.change((directory, name, fresh))
                return FaultyFile(self, path, fresh)
            self._enter("open", path)
            return FaultyFile(self, path, self._file(path))

    def exists(self, path: str) -> bool:
        with self._mutex:
            self._enter("list", path)
            return self._node(path) is not None

    def is_directory(self, path: str) -> bool:
        with self._mutex:
            return isinstance(self._node(path), DirectoryNode)

    def size(self, path: str) -> int:
        with self._mutex:
            self._enter("list", path)
            return len(self._file(path).data)

    def modified_ms(self, path: str) -> int:
        with self._mutex:
            return self._file(path).modified_ms

    def set_modified_ms(self, path: str, time_ms: int) -> None:
        with self._mutex:
            self._file(path).modified_ms = time_ms

    def list_directory(self, path: str) -> list[str]:
        with self._mutex:
            self._enter("list", path)
            return sorted(self._directory(path).names)

    def make_directory(self, path: str) -> None:
        with self._mutex:
            at = ""
            for name in path.strip("/").split("/"):
                parent, at = self._directory(at), f"{at}/{name}"
                if self._node(at) is None:
                    self._enter("make_directory", at)
                    self._names.change((parent, name, DirectoryNode()))
            self._directory(path)

    def read(self, path: str) -> bytes:
        file = self.open(path)
        try:
            return file.pread(file.size(), 0)
        finally:
            file.close()

    def write_atomic(self, path: str, data: bytes) -> None:
        temporary = path + ".tmp"
        file = self.open(temporary, create=True)
        try:
            file.truncate(0)
            file.pwrite(data, 0)
            file.fsync()
        finally:
            file.close()
        self.rename(temporary, path)
        self.fsync_directory(os.path.dirname(path))

    def protect(self, path: str) -> None:
        self.size(path)

    def rename(self, source: str, target: str) -> None:
        with self._mutex:
            self._enter("rename", source)
            node, replaced = self._node(source), self._node(target)
            if node is None:
                raise _error(errno.ENOENT, source)
            if isinstance(replaced, DirectoryNode) and replaced.names and replaced is not node:
                raise _error(errno.ENOTEMPTY, target)
            if node is not replaced:
                self._names.change((*self._place(source), None), (*self._place(target), node))

    def remove(self, path: str) -> None:
        with self._mutex:
            if self._node(path) is not None:
                self._enter("remove", path)
                self._file(path)
                self._names.change((*self._place(path), None))

    def remove_tree(self, path: str) -> None:
        with self._mutex:
            node = self._node(path)
            for name in sorted(node.names) if isinstance(node, DirectoryNode) else ():
                if self.is_directory(f"{path}/{name}"):
                    self.remove_tree(f"{path}/{name}")
                else:
                    self.remove(f"{path}/{name}")
            if node is not None:
                self._enter("remove", path)
                self._names.change((*self._place(path), None))

    def fsync_directory(self, path: str) -> None:
        with self._mutex:
            self._enter("fsync_directory", path)
            directory = self._directory(path)
        self._wait()
        with self._mutex:
            self._names.sync_directory(directory)

    def lock(self, path: str) -> Lock:
        with self._mutex:
            if path in self._locked:
                raise LockedError(errno.EWOULDBLOCK, "already locked", path)
            self.open(path, create=True)
            self._locked.add(path)
            return _FaultyLock(path, self._locked)

    def space(self, path: str) -> tuple[int, int]:
        with self._mutex:
            self._enter("list", path)
            total = _SPACE if self.capacity_bytes is None else self.capacity_bytes
            return total, max(0, total - self.used_bytes)

    def _wait(self) -> None:
        if self._sleep is not None and self.fsync_delay_ms > 0:
            self._sleep(self.fsync_delay_ms)


class FaultyFile:
    """An open file of a `FaultyDisk`. It is of no use any more once the process or the power is gone."""

    __slots__ = ("_disk", "_life", "_node", "path")

    def __init__(self, disk: FaultyDisk, path: str, node: FileNode) -> None:
        self._disk, self.path, self._node = disk, path, node
        self._life = disk._life

    def _begin(self, operation: Operation) -> FileNode:
        if self._life != self._disk._life:
            raise _error(errno.EBADF, self.path)
        self._disk._enter(operation, self.path)
        return self._node

    def size(self) -> int:
        with self._disk._mutex:
            return len(self._begin("list").data)

    def pwrite(self, data: Buffer, position: int) -> None:
        disk = self._disk
        with disk._mutex:
            node = self._begin("write")
            size, error = len(data), 0
            fault = disk._fault("write", self.path)
            if fault is not None:
                size, error = min(size, fault.after_bytes), fault.error
            growth = position + size - len(node.data)
            if disk.capacity_bytes is not None and growth > 0:
                missing = disk.used_bytes + growth - disk.capacity_bytes
                if missing > 0:
                    size, error = max(0, size - min(missing, growth)), error or errno.ENOSPC
            if size:
                node.write(memoryview(data)[:size], position)
            if error:
                raise _error(error, self.path)

    def pread(self, size: int, position: int) -> bytes:
        with self._disk._mutex:
            node = self._begin("read")
            return self._read(bytes(memoryview(node.data)[position : position + size]))

    def _read(self, data: bytes) -> bytes:
        fault = self._disk._fault("read", self.path)
        if fault is None or (fault.error == 0 and not data):
            return data
        if fault.error:
            raise _error(fault.error, self.path)
        bit = self._disk._entropy.randrange(len(data) * 8)
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        return bytes(wrong)

    def truncate(self, size: int) -> None:
        with self._disk._mutex:
            node = self._begin("truncate")
            if size != len(node.data):
                node.resize(size)

    def preallocate(self, size: int) -> None:
        disk = self._disk
        with disk._mutex:
            node = self._begin("truncate")
            growth = size - len(node.data)
            if growth > 0:
                if disk.capacity_bytes is not None and disk.used_bytes + growth > disk.capacity_bytes:
                    raise _error(errno.ENOSPC, self.path)
                node.resize(size)

    def fsync(self) -> None:
        disk = self._disk
        with disk._mutex:
            self._begin("fsync")
            fault = disk._fault("fsync", self.path)
            seen = len(self._node.changes)
        disk._wait()
        with disk._mutex:
            if self._life != disk._life:
                raise _error(errno.EBADF, self.path)
            if fault is not None:
                self._node.fail_sync(disk._entropy, disk.sector_bytes)
                raise _error(fault.error, self.path)
            # What another thread has written while this sync ran is not part of it.
            self._node.sync(seen)
            disk._names.sync_file(self._node)

    def view(self) -> memoryview:
        with self._disk._mutex:
            node = self._begin("read")
            if node.frozen is None:
                node.frozen = bytes(node.data)
            return memoryview(self._read(node.frozen))

    def close(self) -> None:
        pass


class _FaultyLock:
    def __init__(self, path: str, held: set[str]) -> None:
        self._path = path
        self._held = held

    def release(self) -> None:
        self._held.discard(self._path)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
