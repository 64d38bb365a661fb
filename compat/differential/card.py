"""The score card: how many answers were equal, explained or neither, by API and version.

One answer counts once: unexplained when any of its differences is, else explained when it has any.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compat.differential.comparing import Difference
from compat.differential.known import KNOWN, Place, explanation
from compat.differential.run import Step

VERDICTS = ("equal", "explained", "unexplained")


class Card:
    """Collects the results of a run."""

    def __init__(self) -> None:
        self.cases = 0
        self._used: set[Place] = set()
        self._cells: dict[tuple[str, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(VERDICTS, 0))

    def add(self, steps: Sequence[Step], differences: Sequence[Difference]) -> list[Difference]:
        """Count one case; gives its unexplained differences."""
        self.cases += 1
        verdicts = ["equal"] * len(steps)
        unexplained = []
        for found in differences:
            place = explanation(found)
            if place is None:
                unexplained.append(found)
            else:
                self._used.add(place)
            if found.step < len(steps):
                worst = "explained" if place is not None else "unexplained"
                verdicts[found.step] = max(verdicts[found.step], worst, key=VERDICTS.index)
        for step, verdict in zip(steps, verdicts, strict=True):
            self._cells[step.api, step.version][verdict] += 1
        return unexplained

    def total(self, verdict: str) -> int:
        return sum(cell[verdict] for cell in self._cells.values())

    def unused(self) -> list[Place]:
        """The places of known differences that were not met."""
        return [place for entry in KNOWN for place in entry.places if place not in self._used]

    def summary(self) -> str:
        answers = sum(map(self.total, VERDICTS))
        counts = ", ".join(f"{self.total(verdict)} {verdict}" for verdict in VERDICTS)
        return f"{self.cases} cases, {answers} answers of {len(self._cells)} API versions: {counts}"

    def write(self, path: Path) -> None:
        """As JSON."""
        rows: list[dict[str, Any]] = [
            {"api": api, "version": version, **cell} for (api, version), cell in sorted(self._cells.items())
        ]
        totals = {"cases": self.cases, **{verdict: self.total(verdict) for verdict in VERDICTS}}
        path.write_text(json.dumps({**totals, "api_versions": rows}, indent=1) + "\n")
