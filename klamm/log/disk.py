"""Files as the log needs them: the real disk behind a Protocol.

The only module that opens, reads, writes, syncs, renames and locks. Everything else is given a `Disk`, so that
tests can use one that forgets unsynced writes, tears them or fills up, and `--memory` one that has no files at all
(`memory_disk.py`). Every failure is an `OSError`; nothing is retried here.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from klamm.log.buffers import Buffer

# struct flock: Linux has (type, whence, start, length, owner), macOS (start, length, owner, type, whence).
_FLOCK = struct.Struct("qqihh" if sys.platform == "darwin" else "hhqqi4x")
_FLOCK_TYPE_AT = 20 if sys.platform == "darwin" else 0
_INT16 = struct.Struct("h")


class File(Protocol):
    """One open file. Positions and sizes are bytes from the start; there is no cursor."""

    @property
    def path(self) -> str: ...

    def size(self) -> int: ...

    def pwrite(self, data: Buffer, position: int) -> None:
        """Write all of `data` at `position`, extending the file as needed."""
        ...

    def pread(self, size: int, position: int) -> bytes:
        """Up to `size` bytes from `position`: fewer only where the file ends."""
        ...

    def truncate(self, size: int) -> None: ...

    def preallocate(self, size: int) -> None:
        """Extend to `size` with zeros, with the space reserved where the file system can."""
        ...

    def fsync(self) -> None: ...

    def view(self) -> memoryview:
        """A read-only view of the whole file, valid after `close` and after the file is removed.

        Only for a file that nobody will shorten again: touching the cut part of a mapping kills the process.
        """
        ...

    def close(self) -> None: ...


class Lock(Protocol):
    """An exclusive lock on a file, held until `release`."""

    def release(self) -> None: ...


class LockedError(OSError):
    """Somebody else, in this process or another, holds the lock."""


class Disk(Protocol):
    """A file system. Paths are absolute; parents must exist unless it says otherwise."""

    @property
    def is_memory(self) -> bool:
        """Whether nothing here waits for a device: a thread for writes and syncs would only cost."""
        ...

    def open(self, path: str, *, create: bool = False) -> File:
        """Open for reading and writing. `create`: make it if it is missing, keep its bytes if not."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is anything of that name. A disk that cannot tell raises OSError."""
        ...

    def is_directory(self, path: str) -> bool: ...

    def size(self, path: str) -> int: ...

    def modified_ms(self, path: str) -> int:
        """When the file's content last changed, ms since 1970; 0 where nobody knows."""
        ...

    def set_modified_ms(self, path: str, time_ms: int) -> None: ...

    def list_directory(self, path: str) -> list[str]:
        """The names in a directory, sorted."""
        ...

    def make_directory(self, path: str) -> None:
        """Make a directory and its parents; an existing one is fine."""
        ...

    def read(self, path: str) -> bytes: ...

    def write_atomic(self, path: str, data: bytes) -> None:
        """Replace the file whole: after a crash it holds the old or the new bytes. Synced, directory too."""
        ...

    def protect(self, path: str) -> None:
        """Take the right to write a file away, as Kafka does for its snapshots (mode 0400). Not synced."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Move a file or directory within the file system, replacing a file. Not synced: see `fsync_directory`."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file; a missing one is fine."""
        ...

    def remove_tree(self, path: str) -> None:
        """Remove a directory and all in it; a missing one is fine."""
        ...

    def fsync_directory(self, path: str) -> None: ...

    def lock(self, path: str) -> Lock:
        """Take the exclusive lock on the file, making it if it is missing. Raises `LockedError` at once if taken."""
        ...

    def space(self, path: str) -> tuple[int, int]:
        """(total, usable) bytes of the file system that holds `path`."""
        ...


def write_all(fd: int, data: Buffer, position: int) -> None:
    """pwrite until nothing is left: the kernel may take only a part of it (signals, quotas, a nearly full disk)."""
    written = os.pwrite(fd, data, position)
    size = len(data)
    if written == size:
        return
    rest = memoryview(data).cast("B")
    while written < size:
        count = os.pwrite(fd, rest[written:], position + written)
        if count == 0:
            raise OSError(errno.EIO, "write returned 0 bytes")
        written += count


class RealFile:
    """A file descriptor."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def pwrite(self, data: Buffer, position: int) -> None:
        if os.pwrite(self._fd, data, position) != len(data):
            write_all(self._fd, data, position)

    def pread(self, size: int, position: int) -> bytes:
        data = os.pread(self._fd, size, position)
        if len(data) == size or not data:
            return data
        parts = [data]
        have = len(data)
        while have < size and (more := os.pread(self._fd, size - have, position + have)):
            parts.append(more)
            have += len(more)
        return b"".join(parts)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def preallocate(self, size: int) -> None:
        if size > self.size():
            with _if_supported():
                os.posix_fallocate(self._fd, 0, size)
                return
            os.ftruncate(self._fd, size)

    def fsync(self) -> None:
        os.fsync(self._fd)

    def view(self) -> memoryview:
        size = self.size()
        if size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(self._fd, size, prot=mmap.PROT_READ))

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


@contextmanager
def _if_supported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise


class _RealLock:
    """A POSIX and a BSD lock at once: the JVM takes the former, other tools the latter."""

    def __init__(self, path: str, fd: int, held: set[str]) -> None:
        self._path = path
        self._fd = fd
        self._held = held

    def release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            self._held.discard(self._path)


class RealDisk:
    """The operating system's files."""

    # Closing any descriptor of a file drops the process's POSIX lock on it, so a second attempt of this process
    # must be refused before it opens the file.
    _locked: set[str] = set()

    is_memory = False

    def open(self, path: str, *, create: bool = False) -> RealFile:
        return RealFile(path, os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o644))

    def exists(self, path: str) -> bool:
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def size(self, path: str) -> int:
        return os.stat(path).st_size

    def modified_ms(self, path: str) -> int:
        return os.stat(path).st_mtime_ns // 1_000_000

    def set_modified_ms(self, path: str, time_ms: int) -> None:
        os.utime(path, ns=(time_ms * 1_000_000,) * 2)

    def list_directory(self, path: str) -> list[str]:
        return sorted(os.listdir(path))

    def make_directory(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def read(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            parts = [os.read(fd, size)]
            while len(parts[-1]) < size and parts[-1]:
                size -= len(parts[-1])
                parts.append(os.read(fd, size))
        finally:
            os.close(fd)
        return b"".join(parts)

    def write_atomic(self, path: str, data: bytes) -> None:
        temporary = path + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            write_all(fd, data, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
        self.fsync_directory(os.path.dirname(path))

    def protect(self, path: str) -> None:
        os.chmod(path, 0o400)

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target)

    def remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def remove_tree(self, path: str) -> None:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            pass

    def fsync_directory(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def lock(self, path: str) -> Lock:
        path = os.path.realpath(path)
        if path in self._locked:
            raise LockedError(errno.EWOULDBLOCK, "already locked by this process", path)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise LockedError(error.errno, "locked by another process", path) from None
            raise
        self._locked.add(path)
        return _RealLock(path, fd, self._locked)

    def space(self, path: str) -> tuple[int, int]:
        stat = os.statvfs(path)
        return stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize


class ReadOnlyDisk(RealDisk):
    """The operating system's files for somebody who only looks: nothing is made, written, renamed or locked."""

    def open(self, path: str, *, create: bool = False) -> RealFile:
        """Open for reading only; `create` is refused."""
        if create:
            raise _read_only(path)
        return RealFile(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def make_directory(self, path: str) -> None:
        raise _read_only(path)

    def write_atomic(self, path: str, data: bytes) -> None:
        raise _read_only(path)

    def protect(self, path: str) -> None:
        raise _read_only(path)

    def rename(self, source: str, target: str) -> None:
        raise _read_only(source)

    def set_modified_ms(self, path: str, time_ms: int) -> None:
        raise _read_only(path)

    def remove(self, path: str) -> None:
        raise _read_only(path)

    def remove_tree(self, path: str) -> None:
        raise _read_only(path)

    def fsync_directory(self, path: str) -> None:
        raise _read_only(path)

    def lock(self, path: str) -> Lock:
        raise _read_only(path)

    def is_locked(self, path: str) -> bool:
        """Whether another process holds the lock on that file. Asked without taking it, so that nobody is kept out."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # The kernel answers with the lock that is in the way; the JVM's and ours are POSIX locks.
            asked = bytearray(_FLOCK.size)
            _INT16.pack_into(asked, _FLOCK_TYPE_AT, fcntl.F_WRLCK)
            answer = fcntl.fcntl(fd, fcntl.F_GETLK, bytes(asked))
            return bool(_INT16.unpack_from(answer, _FLOCK_TYPE_AT)[0] != fcntl.F_UNLCK)
        finally:
            os.close(fd)


def _read_only(path: str) -> OSError:
    return OSError(errno.EROFS, "only to be read", path)
