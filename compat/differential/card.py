"""The score card: how many answers were equal, explained or neither, by API and version, and by case.

One answer counts once: unexplained when any of its differences is, else explained when it has any. As JSON it is
the source of the pages in docs/; nothing in it depends on the time or the machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from compat.differential.comparing import Difference, describe, what
from compat.differential.known import KNOWN, Known, Place, explanation
from compat.differential.run import Step

VERDICTS = ("equal", "explained", "unexplained")
_LINES_A_CASE = 12
_KINDS_AN_API = 20


class Card:
    """Collects the results of a run. `known`: the differences that count as explained."""

    def __init__(self, known: Sequence[Known] = KNOWN) -> None:
        self.cases = 0
        self._known = known
        self._used: set[Place] = set()
        self._cells: dict[tuple[str, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(VERDICTS, 0))
        self._by_case: list[dict[str, Any]] = []
        self._kinds: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, name: str, steps: Sequence[Step], differences: Sequence[Difference],
            cut: str = "") -> list[Difference]:  # fmt: skip
        """Count one case; gives its unexplained differences. `cut`: why it ended before its end."""
        self.cases += 1
        verdicts = ["equal"] * len(steps)
        unexplained, numbers = [], set()
        for found in differences:
            reason = explanation(found, self._known)
            if reason is None:
                unexplained.append(found)
                self._kinds[found.api][what(found)] += 1
            else:
                number, place = reason
                self._used.add(place)
                numbers.add(number)
            if found.step < len(steps):
                worst = "explained" if reason is not None else "unexplained"
                verdicts[found.step] = max(verdicts[found.step], worst, key=VERDICTS.index)
        for step, verdict in zip(steps, verdicts, strict=True):
            self._cells[step.api, step.version][verdict] += 1
        counts = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
        row: dict[str, Any] = {"case": name, **counts, "known": sorted(numbers)}
        if cut:
            row["cut"] = cut
        if unexplained:
            row["differences"] = describe(unexplained)[:_LINES_A_CASE]
        self._by_case.append(row)
        return unexplained

    def total(self, verdict: str) -> int:
        """Answers of that verdict."""
        return sum(cell[verdict] for cell in self._cells.values())

    def unused(self) -> list[Place]:
        """The places of known differences that were not met."""
        return [place for entry in self._known for place in entry.places if place not in self._used]

    def summary(self) -> str:
        """One line."""
        answers = sum(map(self.total, VERDICTS))
        counts = ", ".join(f"{self.total(verdict)} {verdict}" for verdict in VERDICTS)
        return f"{self.cases} cases, {answers} answers of {len(self._cells)} API versions: {counts}"

    def asked(self) -> set[tuple[str, int]]:
        """The API versions that were asked."""
        return set(self._cells)

    def as_json(self) -> Mapping[str, Any]:
        """Totals, a row for each API version and each case, and the kinds of unexplained differences by API."""
        rows = [{"api": api, "version": version, **cell} for (api, version), cell in sorted(self._cells.items())]
        return {
            "cases": self.cases,
            "answers": sum(map(self.total, VERDICTS)),
            **{verdict: self.total(verdict) for verdict in VERDICTS},
            "api_versions": rows,
            "by_case": self._by_case,
            "differing": {api: dict(kinds.most_common(_KINDS_AN_API)) for api, kinds in sorted(self._kinds.items())},
        }
