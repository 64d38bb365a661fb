"""The map of a compaction pass: each key's latest offset, within `log.cleaner.dedupe.buffer.size`.

As many keys fit as in Kafka's map: 24 bytes for each, filled to `log.cleaner.io.buffer.load.factor`. Few keys are kept
in a dict, which is fast and takes some ten times that per key; when the dict takes half of the buffer, a table of 16
bytes of digest and 8 of offset takes over, slower but never larger than the buffer.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

ENTRY_BYTES: Final = 24
_DICT_ENTRY_BYTES: Final = 240
"""What a key of 64 bytes and its offset take in a dict that has just grown."""
KEY_BYTES_MAX: Final = 63
"""Keys up to this length stand for themselves; a longer one is known by a digest of 64 bytes."""
_DIGEST_BYTES: Final = 16
_DIGEST_PROBES: Final = _DIGEST_BYTES - 3


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
        self.capacity = int(self.slots * load_factor)
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
                self._table.put(*self.offsets.popitem())
            self.offsets = {}
        self._table.put(key, offset)
        return True

    def clear(self) -> None:
        self.offsets = {}
        self._table = None
        self.latest_offset = -1


class _Table:
    """Open addressing: the digest's own bytes give the first places to look at, then the following ones."""

    __slots__ = ("_digests", "_offsets", "_slots", "count")

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._digests = bytearray(slots * _DIGEST_BYTES)
        self._offsets = array("q", bytes(slots * 8))  # offset + 1; 0: the slot is free
        self.count = 0

    def _find(self, digest: bytes) -> int:
        """The slot of a digest, or the free one where it would stand."""
        slots, digests, offsets = self._slots, self._digests, self._offsets
        slot = 0
        for probe in range(_DIGEST_PROBES):
            slot = int.from_bytes(digest[probe : probe + 4], "big") % slots
            if not offsets[slot] or digests[slot * _DIGEST_BYTES : (slot + 1) * _DIGEST_BYTES] == digest:
                return slot
        while offsets[slot] and digests[slot * _DIGEST_BYTES : (slot + 1) * _DIGEST_BYTES] != digest:
            slot = (slot + 1) % slots
        return slot

    def put(self, key: bytes, offset: int) -> None:
        digest = blake2b(key, digest_size=_DIGEST_BYTES).digest()
        slot = self._find(digest)
        if not self._offsets[slot]:
            self._digests[slot * _DIGEST_BYTES : (slot + 1) * _DIGEST_BYTES] = digest
            self.count += 1
        self._offsets[slot] = offset + 1

    def get(self, key: bytes, default: int) -> int:
        slot = self._find(blake2b(key, digest_size=_DIGEST_BYTES).digest())
        return self._offsets[slot] - 1 if self._offsets[slot] else default
