"""The order in which Kafka goes through a map of names, for requests whose items it keeps in one.

It decides which of several errors is the one that is told, and how the records of one request follow each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

DEFAULT_CAPACITY: Final = 16
"""Of a Java HashMap that was not told how many entries to expect."""


def string_hash(text: str) -> int:
    """`String.hashCode` of Java, as an unsigned number of 32 bits."""
    code = 0
    data = text.encode("utf-16-be", "surrogatepass")
    for i in range(0, len(data), 2):
        code = (31 * code + (data[i] << 8) + data[i + 1]) & 0xFFFFFFFF
    return code


def in_hash_order(names: Iterable[str], capacity: int = DEFAULT_CAPACITY) -> list[str]:
    """The names, each once, as a Java HashMap made for `capacity` entries gives them."""
    distinct = list(dict.fromkeys(names))
    buckets = 1
    while buckets < capacity:
        buckets *= 2
    while len(distinct) > buckets * 3 // 4:
        buckets *= 2
    return sorted(distinct, key=lambda name: _bucket(name, buckets))


def _bucket(name: str, buckets: int) -> int:
    code = string_hash(name)
    return (code ^ code >> 16) & (buckets - 1)
