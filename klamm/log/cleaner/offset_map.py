"""The map of a compaction pass: each key's latest offset, within `log.cleaner.dedupe.buffer.size`.

As many keys fit as in Kafka's map: 24 bytes for each, filled to `log.cleaner.io.buffer.load.factor`. Few keys are kept
in a dict, which is fast and takes some ten times that per key; when the dict takes half of the buffer, a table of 20
bytes for each key takes over, slower but never larger than the buffer.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from hashlib import blake2b
from typing import Final
from zlib import crc32

ENTRY_BYTES: Final = 24
_DICT_ENTRY_BYTES: Final = 240
"""What a key of 64 bytes and its offset take in a dict that has just grown."""
KEY_BYTES_MAX: Final = 63
"""Keys up to this length stand for themselves; a longer one is known by a digest of 64 bytes."""
_SCATTERED_PROBES: Final = 64


def long_key(key: bytes) -> bytes:
    """What stands in the map for a key of more than KEY_BYTES_MAX bytes."""
    return blake2b(key).digest()


def map_key(key: bytes) -> bytes:
    """What stands in the map for any key."""
    return key if len(key) <= KEY_BYTES_MAX else long_key(key)


class OffsetMap:
    """Keys to offsets, for one cleaner thread. Keys are given as `long_key` shortens them."""

    __slots__ = ("_table", "capacity", "latest_offset", "offsets", "slots")

    def __init__(self, buffer_bytes: int, load_factor: float) -> None:
        """Raises ValueError for a buffer in which no key has a place."""
        self.slots = buffer_bytes // ENTRY_BYTES
        self.capacity = min(int(self.slots * load_factor), self.slots)
        """The number of keys for which there is room."""
        if self.slots * load_factor <= 1:
            raise ValueError(f"log.cleaner.dedupe.buffer.size: {buffer_bytes} bytes have no room for a key")
        self.latest_offset = -1
        """All records up to here have been put."""
        self.offsets: dict[bytes, int] = {}
        """The keys, as long as they are few (`room`)."""
        self._table: _Table | None = None

    def __len__(self) -> int:
        return len(self.offsets) if self._table is None else self._table.count

    @property
    def room(self) -> int:
        """How many keys may be put into `offsets` itself without asking."""
        if self._table is not None:
            return 0
        return min(self.capacity, self.slots * ENTRY_BYTES // 2 // _DICT_ENTRY_BYTES) - len(self.offsets)

    @property
    def utilization(self) -> float:
        """The part of the slots that is taken."""
        return len(self) / self.slots

    @property
    def lookup(self) -> Callable[[bytes, int], int]:
        """`lookup(key, default)`: the latest offset of a key."""
        return self.offsets.get if self._table is None else self._table.get

    def put(self, key: bytes, offset: int) -> bool:
        """Set the offset of a key; False when the map is full, then also for a key that it has, as in Kafka."""
        if len(self) >= self.capacity:
            return False
        if self._table is None:
            if key in self.offsets or self.room > 0:
                self.offsets[key] = offset
                return True
            self._table = _Table(self.slots)
            while self.offsets:
                moved = dict(self.offsets.popitem() for _ in range(min(len(self.offsets), 1000)))
                self._table.put_all(moved)
            self.offsets = {}
        self._table.put_all({key: offset})
        return True

    def put_all(self, found: dict[bytes, int]) -> None:
        """Set the offsets of keys for all of which there is room, even if all are new."""
        if self._table is None and self.room >= len(found):
            self.offsets.update(found)
        elif self._table is None:
            for key, offset in found.items():
                self.put(key, offset)
        else:
            self._table.put_all(found)

    def clear(self) -> None:
        self.offsets = {}
        self._table = None
        self.latest_offset = -1


class _Table:
    """Open addressing in three arrays: Python's hash of the key, which is keyed and of 64 bits, its CRC, its offset.

    Two keys with the same 96 bits would be taken for one; among five million that happens once in 10^16 passes.
    """

    __slots__ = ("_crcs", "_hashes", "_offsets", "_slots", "count")

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._hashes = array("q", bytes(slots * 8))
        self._crcs = array("I", bytes(slots * 4))
        self._offsets = array("q", bytes(slots * 8))  # offset + 1; 0: the slot is free
        self.count = 0

    def put_all(self, found: dict[bytes, int]) -> None:
        slots, hashes, crcs, offsets = self._slots, self._hashes, self._crcs, self._offsets
        count = self.count
        for key, offset in found.items():
            code, crc = hash(key), crc32(key)
            slot = code % slots
            if offsets[slot] and (hashes[slot] != code or crcs[slot] != crc):
                slot = self._find(code, crc)
            if not offsets[slot]:
                hashes[slot], crcs[slot] = code, crc
                count += 1
            offsets[slot] = offset + 1
        self.count = count

    def _find(self, code: int, crc: int) -> int:
        """The slot of a key that is not in the first place to look at, or the free one where it would stand; or -1."""
        slots, hashes, crcs, offsets = self._slots, self._hashes, self._crcs, self._offsets
        slot, step = code % slots, (code >> 20) % slots or 1
        for probe in range(slots + _SCATTERED_PROBES):
            # Afterwards one by one, which comes by every slot.
            slot = (slot + (step if probe < _SCATTERED_PROBES else 1)) % slots
            if not offsets[slot] or (hashes[slot] == code and crcs[slot] == crc):
                return slot
        return -1

    def get(self, key: bytes, default: int) -> int:
        code, crc = hash(key), crc32(key)
        slot = code % self._slots
        offset = self._offsets[slot]
        if offset and (self._hashes[slot] != code or self._crcs[slot] != crc):
            slot = self._find(code, crc)
            offset = self._offsets[slot] if slot >= 0 else 0
        return offset - 1 if offset else default
