"""The place of a group in `__consumer_offsets`: fixed by Java's string hash."""

from __future__ import annotations

import pytest

from klamm.server.coordinators.partitioner import java_bucket, java_hash, partition_for


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", -(2**31)),
        ("zusammengeführt", -1584626524),
        ("\U0001f600", 1772899),
        ("\ud83d", 0xD83D),
    ],
)
def test_java_hash(text: str, expected: int) -> None:
    assert java_hash(text) == expected


@pytest.mark.parametrize(
    ("key", "partitions", "expected"), [("g1", 3, 2), ("tx-1", 3, 0), ("polygenelubricants", 50, 0), ("", 50, 0)]
)
def test_partition_for(key: str, partitions: int, expected: int) -> None:
    """g1 and tx-1 were seen there on a real broker."""
    assert partition_for(key, partitions) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("range", 9), ("rr", 0), ("cooperative-sticky", 15), ("roundrobin", 10), ("sticky", 8)]
)
def test_java_bucket(text: str, expected: int) -> None:
    """As a Java virtual machine computes it."""
    assert java_bucket(text) == expected
