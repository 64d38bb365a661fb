"""What a machine has written and what its disk would still have after a cut of the power.

A file keeps its bytes as of the last sync and all changes since; a directory keeps its synced names, and the changes of
names are one list for the whole file system. Only `after_cut` and `settle` draw, from the randomness they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from klamm.log.buffers import Buffer
from klamm.seams import Entropy

Change: TypeAlias = tuple[int, bytes | None]
"""A write (position, bytes), or (size, None): the file was given that size."""


class FileNode:
    """The bytes of one file."""

    __slots__ = ("changes", "data", "frozen", "is_diverged", "modified_ms", "synced")

    def __init__(self) -> None:
        self.data = bytearray()
        """What readers see: the page cache."""
        self.synced = b""
        """What the disk had after the last sync."""
        self.changes: list[Change] = []
        """What was done since, oldest first."""
        self.is_diverged = False
        """Whether readers see what no sync will ever write, because a sync has failed."""
        self.frozen: bytes | None = None
        self.modified_ms = 0

    def write(self, data: Buffer, position: int) -> None:
        piece = bytes(data)
        self.frozen = None
        if position > len(self.data):
            self.data.extend(bytes(position - len(self.data)))
        self.data[position : position + len(piece)] = piece
        self.changes.append((position, piece))

    def resize(self, size: int) -> None:
        self.frozen = None
        if size < len(self.data):
            del self.data[size:]
        else:
            self.data.extend(bytes(size - len(self.data)))
        self.changes.append((size, None))

    def sync(self, count: int | None = None) -> None:
        """The first `count` changes (None: all) are on the disk."""
        count = len(self.changes) if count is None else min(count, len(self.changes))
        if count:
            is_all = count == len(self.changes) and not self.is_diverged
            self.synced = bytes(self.data) if is_all else replayed(self.synced, self.changes[:count])
            del self.changes[:count]

    def fail_sync(self, entropy: Entropy, sector_bytes: int) -> None:
        """A sync failed: some changes are on the disk, and the system takes the others for written all the same.

        Readers go on seeing them; a sync that is tried again succeeds and does not write them. Linux does so.
        """
        self.synced = self.after_cut(entropy, sector_bytes, is_ordered=False)
        self.changes.clear()
        self.is_diverged = True

    def settle(self, image: bytes) -> None:
        """The machine starts again with what was on the disk."""
        self.data = bytearray(image)
        self.synced = image
        self.changes.clear()
        self.is_diverged = False
        self.frozen = None

    def after_cut(self, entropy: Entropy, sector_bytes: int, *, is_ordered: bool) -> bytes:
        """One of the contents that a cut of the power may leave."""
        luck = entropy.random()
        if not self.changes or luck < 0.25:
            return self.synced
        if luck < 0.4:
            return replayed(self.synced, self.changes)
        return self._torn(entropy, sector_bytes, is_ordered)

    def _torn(self, entropy: Entropy, sector_bytes: int, is_ordered: bool) -> bytes:
        """Each sector as it was at a time of its own, the size as of another.

        `is_ordered`: what was written behind a cut is on the disk only if the cut is (XFS, ext4).
        """
        changes = self.changes
        size_known = entropy.randrange(len(changes) + 1)  # changes from this one on have not changed the size
        likely = (0.2, 0.6, 0.95)[entropy.randrange(3)]
        reached: dict[int, int] = {}  # sector -> changes from this one on have not reached it
        image = bytearray(self.synced)
        size = len(image)
        is_cut_missing = False
        for index, (position, data) in enumerate(changes):
            if data is None:
                if index < size_known:
                    if position < size:
                        del image[position:]
                    size = position
                elif position < size:
                    is_cut_missing = True
                continue
            if is_ordered and is_cut_missing:
                continue
            for start, piece in _pieces(position, data, sector_bytes):
                sector = start // sector_bytes
                if sector not in reached:
                    reached[sector] = len(changes) if entropy.random() < likely else entropy.randrange(len(changes) + 1)
                if index >= reached[sector]:
                    continue
                if len(image) < start:
                    image.extend(bytes(start - len(image)))
                image[start : start + len(piece)] = piece
            if index < size_known:
                size = max(size, position + len(data))
            elif index == size_known and position + len(data) > size:
                # Half of a growing write: its size ends at a sector.
                whole = (position + entropy.randrange(len(data) + 1)) // sector_bytes * sector_bytes
                size = max(size, whole)
        del image[size:]
        return bytes(image) + bytes(size - len(image))


def _pieces(position: int, data: bytes, sector_bytes: int) -> Iterable[tuple[int, bytes]]:
    """A write cut at the borders of sectors."""
    start, end = position, position + len(data)
    while start < end:
        stop = min(end, (start // sector_bytes + 1) * sector_bytes)
        yield start, data[start - position : stop - position]
        start = stop


def replayed(image: bytes, changes: Iterable[Change]) -> bytes:
    """`image` with all changes made to it."""
    result = bytearray(image)
    for position, data in changes:
        if data is None:
            if position < len(result):
                del result[position:]
            else:
                result.extend(bytes(position - len(result)))
        else:
            if position > len(result):
                result.extend(bytes(position - len(result)))
            result[position : position + len(data)] = data
    return bytes(result)


class DirectoryNode:
    """The names in one directory, as the processes see them and as of the last sync."""

    __slots__ = ("names", "synced")

    def __init__(self) -> None:
        self.names: dict[str, Node] = {}
        self.synced: dict[str, Node] = {}


Node: TypeAlias = FileNode | DirectoryNode

Entry: TypeAlias = tuple[DirectoryNode, str, Node | None]
"""A name in a directory, and what it stands for from now on (None: nothing)."""

Step: TypeAlias = tuple[Entry, ...]
"""What happens at once to names: a create, a remove, a rename."""


class Names:
    """The tree of a file system and the changes of names that are not synced.

    `is_ordered`: the file system has a journal of names (XFS, ext4), so that a change is on the disk only if all
    earlier ones are, and syncing a file syncs its name. Else POSIX's words hold: nothing but syncing a directory saves
    its names, and changes of different names may reach the disk in any order.
    """

    def __init__(self, *, is_ordered: bool) -> None:
        self.root = DirectoryNode()
        self.is_ordered = is_ordered
        self.pending: list[Step] = []

    def change(self, *entries: Entry) -> None:
        _apply_to_names(entries)
        self.pending.append(entries)

    def sync_directory(self, directory: DirectoryNode) -> None:
        self._sync(lambda step: any(entry[0] is directory for entry in step))

    def sync_file(self, node: FileNode) -> None:
        """What syncing a file does to names."""
        if self.is_ordered and self.pending:
            self._sync(lambda step: any(entry[2] is node for entry in step))

    def _sync(self, is_wanted: Callable[[Step], bool]) -> None:
        keys: set[tuple[int, str]] = set()
        kept: list[Step] = []
        done: list[Step] = []
        is_reached = False
        for step in reversed(self.pending):
            touched = {(id(entry[0]), entry[1]) for entry in step}
            is_reached = is_reached or is_wanted(step)
            if (self.is_ordered and is_reached) or is_wanted(step) or touched & keys:
                keys |= touched
                done.append(step)
            else:
                kept.append(step)
        self.pending = kept[::-1]
        for step in reversed(done):
            _apply_to_disk(step)

    def settle(self, entropy: Entropy) -> None:
        """The power was cut: some of the changes are on the disk; the names are those of the disk from now on."""
        pending, self.pending = self.pending, []
        for step in _first_ones(pending, entropy) if self.is_ordered else _any_ones(pending, entropy):
            _apply_to_disk(step)
        _settle(self.root)

    def files(self) -> list[FileNode]:
        """All files that have a name, once each."""
        found: dict[int, FileNode] = {}
        waiting: list[Node] = [self.root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, DirectoryNode):
                waiting += node.names.values()
            else:
                found[id(node)] = node
        return list(found.values())


def _apply_to_names(step: Step) -> None:
    for directory, name, node in step:
        if node is None:
            directory.names.pop(name, None)
        else:
            directory.names[name] = node


def _apply_to_disk(step: Step) -> None:
    for directory, name, node in step:
        if node is None:
            directory.synced.pop(name, None)
        else:
            directory.synced[name] = node


def _settle(directory: DirectoryNode) -> None:
    directory.names = dict(directory.synced)
    for node in directory.names.values():
        if isinstance(node, DirectoryNode):
            _settle(node)


def _first_ones(pending: list[Step], entropy: Entropy) -> list[Step]:
    luck = entropy.random()
    if luck < 0.25:
        return []
    return pending if luck < 0.5 else pending[: entropy.randrange(len(pending) + 1)]


def _any_ones(pending: list[Step], entropy: Entropy) -> list[Step]:
    """Of the changes that have names in common the first ones, how many drawn for each such group."""
    likely = (0.0, 0.5, 0.9, 1.0)[entropy.randrange(4)]
    lost: set[tuple[int, str]] = set()
    chosen = []
    for step in pending:
        keys = {(id(entry[0]), entry[1]) for entry in step}
        if keys & lost or entropy.random() >= likely:
            lost |= keys
        else:
            chosen.append(step)
    return chosen
