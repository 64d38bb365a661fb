"""The score card for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SCENARIOS = ("groups", "producers", "upkeep", "live_configs", "offsets", "scenarios")
"""Modules of cases whose steps build on each other: life cycles, not single questions."""

_MARKS = {"equal": "=", "explained": "~", "unexplained": "!"}
_LEGEND = "= equal   ~ a known difference   ! a difference   . not asked   - not served"


def verdict(row: Mapping[str, int]) -> str:
    """The worst of what a row has counts of."""
    return next((name for name in ("unexplained", "explained") if row[name]), "equal")


def share(report: Mapping[str, Any]) -> str:
    """The equal answers, in percent, never rounded up to 100."""
    answers, equal = report["answers"], report["equal"]
    if not answers:
        return "-"
    return "100 %" if equal == answers else f"{min(equal / answers * 100, 99.99):.2f} %"


def table(report: Mapping[str, Any]) -> str:
    """The whole card."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{report.get('target_name', report['target'])} against {report.get('against_name', report['against'])}"
    yield ""
    if report["api_versions"]:
        yield f"{'API':32} {'answers':>8} {'equal':>8}  versions      {_LEGEND}"
        yield from _api_lines(report)
        yield ""
        yield "scenarios"
        yield from _scenario_lines(report)
        yield ""
    if report["suites"]:
        columns = "".join(f" {name:>8}" for name in ("passed", "failed", "skipped"))
        yield f"{'client suite':32}{columns} {'lost':>6}   on the other: passed, failed"
        yield from map(_suite_line, report["suites"])
        yield ""
    yield from _difference_lines(report)
    yield from _random_lines(report)
    if report.get("left_out", 0) > 0:
        yield f"{report['left_out']} cases were left out"
    yield f"cases {report['cases']}, answers {report['answers']}: {report['equal']} equal ({share(report)}), " \
          f"{report['explained']} explained, {report['unexplained']} unexplained"  # fmt: skip


def by_api(report: Mapping[str, Any]) -> dict[str, dict[int, Mapping[str, Any]]]:
    """API -> version -> row, APIs in the order of the report."""
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in report["api_versions"]:
        found.setdefault(row["api"], {})[row["version"]] = row
    return found


def _api_lines(report: Mapping[str, Any]) -> Iterator[str]:
    rows = by_api(report)
    not_asked = {row["api"]: row["versions"] for row in report.get("not_asked", ())}
    absent = {row["api"]: row["versions"] for row in report.get("absent", ())}
    for api in sorted({*rows, *not_asked, *absent}):
        versions = rows.get(api, {})
        if report.get("is_part") and not versions:
            continue
        marks = {version: _MARKS[verdict(row)] for version, row in versions.items()}
        marks |= dict.fromkeys(not_asked.get(api, ()), ".") | dict.fromkeys(absent.get(api, ()), "-")
        equal = sum(row["equal"] for row in versions.values())
        answers = sum(row[name] for row in versions.values() for name in _MARKS)
        shown = " ".join(f"{version}{mark}" for version, mark in sorted(marks.items()))
        yield f"{api:32} {answers:8} {equal:8}  {shown}"


def _scenario_lines(report: Mapping[str, Any]) -> Iterator[str]:
    for row in report["by_case"]:
        if row["case"].partition(".")[0] in SCENARIOS:
            cut = f"  (ended early: {row['cut']})" if row.get("cut") else ""
            yield f"  {_MARKS[verdict(row)]} {row['case']}: {row['equal']} equal of {_answers(row)}{cut}"


def _answers(row: Mapping[str, Any]) -> int:
    return sum(row[name] for name in _MARKS)


def _suite_line(row: Mapping[str, Any]) -> str:
    name = f"{row['suite']} {row['version']}"
    if "target" not in row:
        return f"{name:32} did not run: {row.get('not_run', 'no reason given')}"
    ours, other = row["target"], row.get("against", {"passed": 0, "failed": {}})
    counts = f"{ours['passed']:8} {len(ours['failed']):8} {len(ours['skipped']):8} {len(row['lost']):6}"
    return f"{name:32} {counts}   {other['passed']}, {len(other['failed'])}"


def _random_lines(report: Mapping[str, Any]) -> Iterator[str]:
    found = report.get("random")
    if not found:
        return
    count = len(found["smallest"])
    yield f"random requests: {found['requests']} (seed {found['seed']}); {count} that differ, made small:"
    for row in found["smallest"]:
        yield f"  {row['api']} v{row['version']} {row['request']}"
        yield from (f"    {line.partition(chr(10))[0]}" for line in row["differences"])
    yield ""


def not_passed(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """Reason -> tests of a suite that the other passes and the target does not, as far as a list gives the reason.

    Such tests are shown as skipped, with `reason [what was seen]` (compat/allow_list.py).
    """
    found: dict[str, list[str]] = {}
    others = row.get("against", {"skipped": {}})["skipped"]
    for test, why in sorted(row.get("target", {"skipped": {}})["skipped"].items()):
        reason, bracket, _ = why.partition(" [")
        if bracket and test not in others:
            found.setdefault(reason, []).append(test)
    return found


def _difference_lines(report: Mapping[str, Any]) -> Iterator[str]:
    for row in report["by_case"]:
        if row.get("differences"):
            yield f"{row['case']}: {row['unexplained']} answers differ"
            yield from (f"  {line}" for line in row["differences"])
            yield ""
    for name, why in report["broken"].items():
        yield f"{name} could not go on: {why}"
    for suite in report["suites"]:
        for test, why in suite["lost"].items():
            yield f"suite {suite['suite']} lost {test}: {why}"
        for reason, tests in not_passed(suite).items():
            yield f"suite {suite['suite']}: {len(tests)} tests do not pass: {reason}"
