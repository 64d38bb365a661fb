"""The client suites on both brokers: the right one calibrates, the left one is held to the allow-list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from compat import providers
from compat.kit.pairs import Wanted
from compat.providers import OwnedTarget
from compat.suites import Result, Suite, judge

_SETTINGS: dict[str, str] = {}


def run(wanted: Wanted, suites: Sequence[Suite], note: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row for each suite: counts on both brokers, tests that were lost and gained, or why it did not run."""
    if not suites:
        return []
    rows = [{"suite": suite.name, "version": suite.version, "lost": {}, "gained": []} for suite in suites]
    for side, name in (("target", wanted.left), ("against", wanted.right)):
        with providers.make(name, _SETTINGS, wanted.provider, wanted.access) as broker:
            for suite, row in zip(suites, rows, strict=True):
                note(f"suite {suite.name} on {broker.name}")
                _run_one(suite, broker, row, side)
    return rows


def _run_one(suite: Suite, broker: OwnedTarget, row: dict[str, Any], side: str) -> None:
    if missing := suite.missing():
        row["not_run"] = f"not installed: {', '.join(missing)}"
        return
    try:
        result = suite.run(broker)
    except Exception as error:
        result = Result([], {"the suite itself": f"{type(error).__name__}: {str(error)[:300]}"})
    row[side] = {"passed": len(result.passed), "failed": dict(result.failed), "skipped": dict(result.skipped)}
    if side == "target":
        row["lost"], row["gained"] = judge(suite, result)
