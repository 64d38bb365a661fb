"""The client suites on both brokers: the right one calibrates, the left one is held to the allow-list.

A suite that has failures is run once more: clients' own tests have limits of a second or two, which a busy machine does
not always keep. What a run has found already is not asked again: `known` are the rows of an unfinished card.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compat import providers
from compat.access import OPEN
from compat.external import ExternalTarget
from compat.kit.pairs import Wanted
from compat.providers import OwnedTarget
from compat.suites import Result, Suite, judge

_SETTINGS: dict[str, str] = {}
BADLY = "the suite itself"
"""The name under which a suite is shown that could not tell of its tests."""

Row = dict[str, Any]


def run(
    wanted: Wanted,
    suites: Sequence[Suite],
    note: Callable[[str], None],
    known: Sequence[Row] = (),
    save: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """A row for each suite: counts on both brokers, tests that were lost and gained, or why it did not run.

    `save` is given all rows whenever one of them has grown.
    """
    before = {(row["suite"], row["version"]): row for row in known}
    rows = [before.get((suite.name, suite.version), _empty(suite)) for suite in suites]
    for side, name in (("against", wanted.right), ("target", wanted.left)):
        open_rows = [(suite, row) for suite, row in zip(suites, rows, strict=True) if _is_open(row, side)]
        if not open_rows:
            continue
        with providers.make(name, _SETTINGS, wanted.provider, wanted.access) as broker:
            for suite, row in open_rows:
                note(f"suite {suite.name} on {broker.name}")
                began = time.monotonic()
                _run_one(suite, broker, row, side)
                note(f"suite {suite.name} on {broker.name}: {_told(row, side)}, {time.monotonic() - began:.0f} s\n")
                save(rows)
    return rows


def _empty(suite: Suite) -> Row:
    return {"suite": suite.name, "version": suite.version, "lost": {}, "gained": []}


def _is_open(row: Mapping[str, Any], side: str) -> bool:
    return side not in row or BADLY in row[side]["failed"]


def _run_one(suite: Suite, broker: OwnedTarget, row: Row, side: str) -> None:
    if why := _hindrance(suite, broker):
        row["not_run"] = why
        return
    result = _result(suite, broker)
    if result.failed:
        result = either(result, _result(suite, broker))
    row[side] = {"passed": len(result.passed), "failed": dict(result.failed), "skipped": dict(result.skipped)}
    if side == "target":
        row["lost"], row["gained"] = judge(suite, result)


def _hindrance(suite: Suite, broker: OwnedTarget) -> str:
    if isinstance(broker, ExternalTarget) and broker.access != OPEN:
        return "the suites' clients have no credentials"
    missing = suite.missing()
    return f"not installed: {', '.join(missing)}" if missing else ""


def either(first: Result, second: Result) -> Result:
    """What passed in one of two runs; not every test can pass twice on the same broker."""
    if BADLY in first.failed:
        return second
    mended = set(second.passed) & first.failed.keys()
    failed = {name: why for name, why in first.failed.items() if name not in mended}
    return Result([*first.passed, *sorted(mended)], failed, first.skipped)


def _result(suite: Suite, broker: OwnedTarget) -> Result:
    try:
        return suite.run(broker)
    except Exception as error:
        return Result([], {BADLY: f"{type(error).__name__}: {str(error)[:300]}"})


def _told(row: Mapping[str, Any], side: str) -> str:
    if side not in row:
        return str(row["not_run"])
    found = row[side]
    return f"{found['passed']} passed, {len(found['failed'])} failed, {len(found['skipped'])} skipped"
