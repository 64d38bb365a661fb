"""What Kafka was seen to do (`kafka.json`), and where klamm does otherwise, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

RECORDED: Final = Path(__file__).with_name("kafka.json")

KNOWN: Final[Mapping[tuple[str, str], str]] = {}
"""(scenario, field) to why klamm differs there."""


def expected(scenario: str) -> dict[str, Any]:
    """What Kafka 4.3.1 did in that scenario when it was last recorded."""
    recorded: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text())
    return recorded[scenario]


def differences(scenario: str, klamm: Mapping[str, Any], kafka: Mapping[str, Any] | None) -> list[str]:
    """Lines for all that is lost, and for all that differs without a reason."""
    lines = [f"WRONG: {line}" for line in klamm["wrong"]]
    for name, value in (kafka or {}).items():
        if name != "wrong" and klamm[name] != value and (scenario, name) not in KNOWN:
            lines.append(f"{name} is {klamm[name]!r}, Kafka's is {value!r}")
    return lines
