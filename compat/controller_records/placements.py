"""Where Kafka's own placer puts replicas: the class of the controller alone, with a seeded random number generator."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compat import kafka_jars

SOURCE = Path(__file__).parent / "src" / "Placements.java"
_CLUSTERS = {
    "one": ["1::"],
    "five": [f"{i}::" for i in range(1, 6)],
    "two of five fenced": [f"{i}::{'fenced' if i in (2, 5) else ''}" for i in range(1, 6)],
    "all fenced": ["1::fenced", "2::fenced"],
    "three racks": [f"{i}:{'abc'[i % 3]}:" for i in range(1, 10)],
    "uneven racks": ["1:a:", "2:a:", "3:a:", "4:b:", "5:c:", "6:c:"],
    "a fenced rack": ["1:a:", "2:a:", "3:b:fenced", "4:b:fenced", "5:c:", "6:c:fenced"],
    "some without a rack": ["1::", "2:a:", "3:b:", "4::", "5:b:fenced"],
}


def cases() -> Iterator[tuple[int, int, int, list[str]]]:
    """(seed, partitions, replication factor, brokers as "id:rack:fenced")."""
    for seed, factor, brokers in itertools.product(range(4), (0, 1, 2, 3, 5), _CLUSTERS.values()):
        yield seed, 25, factor, brokers


def placements() -> list[dict[str, Any]]:
    """What Kafka makes of every case: the replicas of each partition, or the message of its exception."""
    asked = list(cases())
    lines = "".join(f"{seed} {count} {factor} {' '.join(brokers)}\n" for seed, count, factor, brokers in asked)
    told = subprocess.run(
        [kafka_jars.program("java"), "-cp", kafka_jars.classpath(kafka_jars.KAFKA), str(SOURCE)],
        input=lines, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    names = ("seed", "partitions", "replication_factor", "brokers")
    return [
        {**dict(zip(names, case, strict=True)), "placed": json.loads(line)}
        for case, line in zip(asked, told.stdout.splitlines(), strict=True)
    ]
