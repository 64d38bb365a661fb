"""The order of Java's hash maps: the expected values were printed by Java 17."""

from __future__ import annotations

import pytest

from klamm.metadata.controller.hash_order import in_hash_order, string_hash


@pytest.mark.parametrize(
    ("text", "code"),
    [("", 0), ("a", 97), ("user", 3599307), ("metadata.version", 1098778905), ("é\U0001f600", 1996812)],
)
def test_string_hash(text: str, code: int) -> None:
    assert string_hash(text) == code


@pytest.mark.parametrize(
    ("names", "capacity", "expected"),
    [
        (["user", "client-id", "ip"], 3, "client-id user ip"),
        (
            ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"],
            4,
            "producer_byte_rate consumer_byte_rate controller_mutation_rate request_percentage",
        ),
        (["producer_byte_rate", "consumer_byte_rate"], 1, "consumer_byte_rate producer_byte_rate"),
        (
            [f"n{i}" for i in range(40)],
            0,
            "n0 n1 n2 n3 n4 n5 n6 n7 n8 n30 n9 n10 n32 n31 n12 n34 n11 n33 n14 n36 n13 n35 n16 n38 n15 n37 n18 n17"
            " n39 n19 n21 n20 n23 n22 n25 n24 n27 n26 n29 n28",
        ),
        (["a", "b", "a"], 16, "a b"),
        ([], 0, ""),
    ],
)
def test_order(names: list[str], capacity: int, expected: str) -> None:
    assert in_hash_order(names, capacity) == expected.split()
