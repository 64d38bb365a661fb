"""What both indexes of a segment are: pairs of numbers that rise, held in memory as two arrays.

The index of the active segment grows in memory only; what its file lacks (`unwritten`) is written at a roll, and at the
close. After a crash an index is rebuilt from its segment, so that the file is never trusted beyond a sync.
"""

from __future__ import annotations

import sys
from array import array
from typing import ClassVar, Final

_IS_LITTLE_ENDIAN: Final = sys.byteorder == "little"


class CorruptIndex(Exception):
    """An index file that is missing or cannot be one; it is rebuilt from its segment."""


class IndexEntries:
    """Sorted entries (key, int32) with int32 or int64 keys, big-endian in the file."""

    __slots__ = ("_dirty_from", "_keys", "_values", "base_offset")

    key_type: ClassVar[str]
    """The array type code of the keys: i or q."""
    entry_size: ClassVar[int]
    """Bytes of an entry in the file."""

    def __init__(self, base_offset: int, data: bytes | None = None) -> None:
        """`data`: the bytes of the file, with the zeros at its end that Kafka preallocates; None: there is no file."""
        self.base_offset = base_offset
        self._dirty_from: int | None = 0 if data is None else None
        self._keys, self._values = array(self.key_type), array("i")
        if data:
            used = _used(data, self.entry_size)
            self._decode(data[:used])
            if used < len(data):
                self._dirty_from = len(self._keys)  # the file is to be trimmed

    def __len__(self) -> int:
        return len(self._keys)

    def _decode(self, data: bytes) -> None:
        words = array("i", data)
        width = self.entry_size // 4
        keys = array("i", bytes(len(words) // width * (width - 1) * 4))
        for n in range(width - 1):
            keys[n :: width - 1] = words[n::width]
        self._keys.frombytes(keys.tobytes())
        self._values = words[width - 1 :: width]
        if _IS_LITTLE_ENDIAN:
            self._keys.byteswap()
            self._values.byteswap()

    def _encode(self, start: int) -> bytes:
        keys, values = self._keys[start:], self._values[start:]
        if _IS_LITTLE_ENDIAN:
            keys.byteswap()
            values.byteswap()
        key_words = array("i", keys.tobytes())
        width = self.entry_size // 4
        words = array("i", bytes(len(values) * self.entry_size))
        for n in range(width - 1):
            words[n::width] = key_words[n :: width - 1]
        words[width - 1 :: width] = values
        return words.tobytes()

    def _append(self, key: int, value: int) -> None:
        if self._dirty_from is None:
            self._dirty_from = len(self._keys)
        self._keys.append(key)
        self._values.append(value)

    def _keep(self, count: int) -> None:
        """Drop all entries but the first `count`."""
        if count < len(self._keys):
            del self._keys[count:], self._values[count:]
            self._dirty_from = 0

    def clear(self) -> None:
        self._keep(0)
        self._dirty_from = 0

    def unwritten(self) -> tuple[int, bytes] | None:
        """(position, bytes) that the file lacks, from now on taken as written; None when it has all.

        The file ends with these bytes.
        """
        start = self._dirty_from
        if start is None:
            return None
        self._dirty_from = None
        return start * self.entry_size, self._encode(start)


def _used(data: bytes, size: int) -> int:
    """The bytes before the zeros. No entry but the first can be all zeros, as entries rise."""
    count = len(data) // size
    if count < 2 or any(data[(count - 1) * size : count * size]):
        return count * size
    return -(-len(data.rstrip(b"\0")) // size) * size
