"""What Kafka was seen to do (`kafka.json`), and where something else is right as well, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

RECORDED: Final = Path(__file__).with_name("kafka.json")

_AT_START = (
    "what Kafka says of a partition whose directory was offline at the start depends on which it learns first: that it "
    "is no leader, or that the log cannot be made; both were seen"
)
_EITHER = frozenset({"KAFKA_STORAGE_ERROR", "NOT_LEADER_OR_FOLLOWER"})

KNOWN: Final[Mapping[tuple[str, str], tuple[frozenset[str], str]]] = {
    (scenario, field): (_EITHER, _AT_START)
    for scenario in ("start-file", "start-identity")
    for field in ("later_produce", "later_fetch")
}
"""(scenario, field) to (what is right there besides what was recorded, why)."""


def expected(scenario: str) -> dict[str, Any]:
    """What Kafka 4.3.1 did in that scenario when it was last recorded."""
    recorded: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text())
    return recorded[scenario]


def differences(scenario: str, klamm: Mapping[str, Any], kafka: Mapping[str, Any] | None) -> list[str]:
    """Lines for all that is lost, and for all that differs without a reason."""
    lines = [f"WRONG: {line}" for line in klamm["wrong"]]
    for name, value in (kafka or {}).items():
        accepted, _ = KNOWN.get((scenario, name), (frozenset(), ""))
        if name != "wrong" and klamm[name] != value and klamm[name] not in accepted:
            lines.append(f"{name} is {klamm[name]!r}, Kafka's is {value!r}")
    return lines
