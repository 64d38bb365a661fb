"""The form of a subject: what it prepares once a broker, measures in each round, and cleans up."""

from __future__ import annotations

from dataclasses import dataclass

from compat.bench.side import Side


@dataclass(frozen=True)
class Length:
    """How long one measurement takes."""

    seconds: float
    records: int
    """Records of 1,000 bytes for the clients that count records instead of time."""


FULL = Length(seconds=3.0, records=300_000)
SHORT = Length(seconds=1.0, records=60_000)
WARM = Length(seconds=3.0, records=150_000)

Figures = dict[str, float]
"""Metric key (goals.py) -> value, in the metric's unit."""


class Subject:
    """One thing that is measured. Subclasses say what; a subject keeps nothing of a broker but in `Side.state`."""

    name: str

    def prepare(self, side: Side, length: Length) -> None:
        """Before the first round."""

    def measure(self, side: Side, length: Length) -> Figures:
        """One round."""
        raise NotImplementedError

    def clean(self, side: Side) -> None:
        """After the last round."""
