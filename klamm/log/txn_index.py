"""The aborted transactions of a segment (`.txnindex`), which readers at `read_committed` are told.

Entries of 34 bytes: int16 version 0, int64 producer id, first offset, last offset (of the marker), last stable offset
at that time. Only aborted transactions have one, in the segment of their marker; most segments have no file.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.log.index_entries import CorruptIndex

if TYPE_CHECKING:
    from klamm.log.disk import Disk

_ENTRY: Final = struct.Struct(">hqqqq")


class AbortedTxn(NamedTuple):
    """One aborted transaction on this partition; both offsets are inclusive, the last one is the marker's."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


def encode(entries: list[AbortedTxn]) -> bytes:
    """The bytes of the file."""
    return b"".join(_ENTRY.pack(0, *aborted) for aborted in entries)


class TxnIndex:
    """The entries of one segment, oldest marker first. Appends go to the file at once: they are rare."""

    __slots__ = ("_disk", "_entries", "_path", "is_dirty")

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path
        self._entries: list[AbortedTxn] | None = None
        self.is_dirty = False
        """Whether the file has something that is not synced; who syncs it takes the mark away."""

    @property
    def entries(self) -> list[AbortedTxn]:
        """All entries. Raises CorruptIndex."""
        if self._entries is None:
            try:
                data = self._disk.read(self._path)
            except FileNotFoundError:
                data = b""
            if len(data) % _ENTRY.size:
                raise CorruptIndex(f"{self._path} has {len(data)} bytes, no multiple of {_ENTRY.size}")
            rows = list(_ENTRY.iter_unpack(data))
            if any(row[0] != 0 for row in rows):
                raise CorruptIndex(f"{self._path} has an entry of an unknown version")
            self._entries = [AbortedTxn(*row[1:]) for row in rows]
        return self._entries

    def append(self, aborted: AbortedTxn) -> None:
        entries = self.entries
        file = self._disk.open(self._path, create=True)
        try:
            file.pwrite(_ENTRY.pack(0, *aborted), len(entries) * _ENTRY.size)
        finally:
            file.close()
        entries.append(aborted)
        self.is_dirty = True

    @property
    def path(self) -> str:
        return self._path

    def collect(self, fetch_offset: int, upper_bound: int) -> tuple[list[AbortedTxn], bool]:
        """The aborted transactions that touch [fetch_offset, upper_bound), and whether later segments have no more."""
        found: list[AbortedTxn] = []
        for aborted in self.entries:
            if aborted.last_offset >= fetch_offset and aborted.first_offset < upper_bound:
                found.append(aborted)
            if aborted.last_stable_offset >= upper_bound:
                return found, True
        return found, False

    def truncate_to(self, offset: int) -> None:
        """Drop the transactions whose marker stands at `offset` or above."""
        keep = [aborted for aborted in self.entries if aborted.last_offset < offset]
        if len(keep) < len(self.entries):
            self._entries = keep
            self._disk.write_atomic(self._path, encode(keep))

    def replace(self, entries: list[AbortedTxn]) -> None:
        """Have these entries and no others, also in the file; without any there is no file."""
        self._entries = list(entries)
        if entries:
            self._disk.write_atomic(self._path, encode(entries))
        else:
            self._disk.remove(self._path)
