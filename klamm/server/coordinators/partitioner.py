"""Which partition of a coordinator's topic a key belongs to.

The rule is part of the file format: a node that computes it differently looks for groups in the wrong log.
"""

from __future__ import annotations

from functools import lru_cache


def java_hash(text: str) -> int:
    """Java's `String.hashCode`: over UTF-16 units, as a signed 32-bit number."""
    units = text.encode("utf-16-be", "surrogatepass")
    h = 0
    for i in range(0, len(units), 2):
        h = (31 * h + (units[i] << 8 | units[i + 1])) & 0xFFFFFFFF
    return h - (1 << 32) if h >> 31 else h


def java_bucket(text: str) -> int:
    """Where a string is in a small Java `HashMap` (16 buckets), which is the order in which Kafka goes through one."""
    h = java_hash(text) & 0xFFFFFFFF
    return (h ^ h >> 16) & 15


@lru_cache(maxsize=4096)
def partition_for(key: str, partition_count: int) -> int:
    """The partition of a group id, transactional id or share partition key."""
    return (java_hash(key) & 0x7FFFFFFF) % partition_count
