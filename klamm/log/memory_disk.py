"""A file system in memory, for `--memory` and for tests.

Behaves as `disk.RealDisk` does, without files: nothing outlives the process, and syncing does nothing.
"""

from __future__ import annotations

import errno
import os
from posixpath import dirname

from klamm.log.buffers import Buffer
from klamm.log.disk import File, Lock, LockedError

_SPACE = 1 << 40


class _Node:
    """The bytes of one file. `frozen` is what views were given out of; a later change works on a copy."""

    __slots__ = ("data", "frozen", "modified_ms")

    def __init__(self, data: Buffer = b"") -> None:
        self.modified_ms = 0
        self.data = bytearray(data)
        self.frozen: bytes | None = None


class MemoryFile:
    """An open file of a `MemoryDisk`; it stays usable after the file is renamed or removed."""

    __slots__ = ("_node", "path")

    def __init__(self, path: str, node: _Node) -> None:
        self.path = path
        self._node = node

    def size(self) -> int:
        return len(self._node.data)

    def pwrite(self, data: Buffer, position: int) -> None:
        node = self._node
        node.frozen = None
        if position > len(node.data):
            node.data.extend(bytes(position - len(node.data)))
        node.data[position : position + len(data)] = data

    def pread(self, size: int, position: int) -> bytes:
        return bytes(memoryview(self._node.data)[position : position + size])

    def truncate(self, size: int) -> None:
        node = self._node
        node.frozen = None
        if size < len(node.data):
            del node.data[size:]
        else:
            self.preallocate(size)

    def preallocate(self, size: int) -> None:
        if size > len(self._node.data):
            self._node.data.extend(bytes(size - len(self._node.data)))

    def fsync(self) -> None:
        pass

    def view(self) -> memoryview:
        node = self._node
        if node.frozen is None:
            node.frozen = bytes(node.data)
        return memoryview(node.frozen)

    def close(self) -> None:
        pass


class _MemoryLock:
    def __init__(self, path: str, held: set[str]) -> None:
        self._path = path
        self._held = held

    def release(self) -> None:
        self._held.discard(self._path)


MEMORY_DIRECTORY = "/klamm"
"""The log directory of a node whose disk this is; paths here are absolute."""


class MemoryDisk:
    """Files and directories in two dictionaries, by path."""

    is_memory = True

    def __init__(self) -> None:
        self._files: dict[str, _Node] = {}
        self._directories: dict[str, set[str]] = {"/": set()}
        self._locked: set[str] = set()

    def _node(self, path: str) -> _Node:
        node = self._files.get(path)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return node

    def _parent(self, path: str) -> set[str]:
        names = self._directories.get(dirname(path))
        if names is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return names

    def _put(self, path: str, node: _Node) -> None:
        self._parent(path).add(path)
        self._files[path] = node

    def open(self, path: str, *, create: bool = False) -> File:
        if create and path not in self._files:
            self._put(path, _Node())
        return MemoryFile(path, self._node(path))

    def exists(self, path: str) -> bool:
        return path in self._files or path in self._directories

    def is_directory(self, path: str) -> bool:
        return path in self._directories

    def size(self, path: str) -> int:
        return len(self._node(path).data)

    def modified_ms(self, path: str) -> int:
        return self._node(path).modified_ms

    def set_modified_ms(self, path: str, time_ms: int) -> None:
        self._node(path).modified_ms = time_ms

    def list_directory(self, path: str) -> list[str]:
        return sorted(child[child.rindex("/") + 1 :] for child in self._parent(path.rstrip("/") + "/"))

    def make_directory(self, path: str) -> None:
        if path not in self._directories:
            parent = dirname(path)
            self.make_directory(parent)
            self._directories[parent].add(path)
            self._directories[path] = set()

    def read(self, path: str) -> bytes:
        return bytes(self._node(path).data)

    def write_atomic(self, path: str, data: bytes) -> None:
        self._put(path, _Node(data))

    def protect(self, path: str) -> None:
        self._node(path)

    def rename(self, source: str, target: str) -> None:
        if source in self._directories:
            self._rename_directory(source, target)
            return
        self._put(target, self._node(source))
        if source != target:
            self.remove(source)

    def _rename_directory(self, source: str, target: str) -> None:
        if self._directories.get(target):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), target)
        self._parent(target)
        self.make_directory(target)
        for child in sorted(self._directories[source]):
            self.rename(child, target + child[len(source) :])
        self.remove_tree(source)

    def remove(self, path: str) -> None:
        if self._files.pop(path, None) is not None:
            self._directories[dirname(path)].discard(path)

    def remove_tree(self, path: str) -> None:
        for child in sorted(self._directories.pop(path, ())):
            if child in self._directories:
                self.remove_tree(child)
            else:
                self._files.pop(child, None)
        self._directories.get(dirname(path), set()).discard(path)

    def fsync_directory(self, path: str) -> None:
        self._parent(path.rstrip("/") + "/")

    def lock(self, path: str) -> Lock:
        if path in self._locked:
            raise LockedError(errno.EWOULDBLOCK, "already locked", path)
        self.open(path, create=True)
        self._locked.add(path)
        return _MemoryLock(path, self._locked)

    def space(self, path: str) -> tuple[int, int]:
        return _SPACE, _SPACE - sum(len(node.data) for node in self._files.values())
