"""`python -m compat.kit.pages`: docs/compatibility.md and docs/differences.md, made from docs/compatibility.json.

The JSON is what `klamm compat run --json docs/compatibility.json` wrote; nobody writes the pages by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from compat.differential.known import KNOWN, Known
from compat.kit.text import SCENARIOS, by_api, share, verdict

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
CARD: Final = DOCS / "compatibility.json"
COMPATIBILITY: Final = DOCS / "compatibility.md"
DIFFERENCES: Final = DOCS / "differences.md"
_CASES: Final = "../compat/differential/cases"
_MARKS: Final = {"equal": "", "explained": "~", "unexplained": "!"}


def compatibility(report: Mapping[str, Any]) -> str:
    """The text of docs/compatibility.md."""
    return "\n".join(_compatibility(report)) + "\n"


def _compatibility(report: Mapping[str, Any]) -> Iterator[str]:
    yield "# How far klamm is from Apache Kafka 4.3.1"
    yield ""
    yield "Made by `python -m compat.kit.pages` from [compatibility.json](compatibility.json); do not edit by hand."
    yield ""
    yield f"The same {report['cases']} cases ran on both. Of {report['answers']} answers **{share(report)} are equal**,"
    yield f"{report['explained']} differ for a reason of [differences.md](differences.md),"
    yield f"{report['unexplained']} otherwise."
    yield ""
    yield "    klamm compat run --target klamm --against kafka --json docs/compatibility.json"
    yield ""
    yield "## APIs"
    yield ""
    yield "Every API and version that klamm advertises, to clients and (`@controller`) on the controllers' listener."
    yield "`~` behind a version: some answers differ for a known reason; `!`: otherwise; `.`: not asked."
    yield ""
    yield "| API | versions | answers | equal |"
    yield "| --- | --- | ---: | ---: |"
    yield from _api_rows(report)
    yield ""
    if report["absent"]:
        yield "Kafka serves these besides, and klamm does not yet:"
        yield ""
        names = [f"{row['api']} {_span(row['versions'])}" for row in report["absent"]]
        yield "\n".join(wrap(", ".join(names), 120)) + "."
        yield ""
    yield "## Scenarios"
    yield ""
    yield "| scenario | answers | equal |"
    yield "| --- | ---: | ---: |"
    for row in report["by_case"]:
        if row["case"].partition(".")[0] in SCENARIOS:
            answers = row["equal"] + row["explained"] + row["unexplained"]
            yield f"| {_MARKS[verdict(row)]} {_link(row['case'])} | {answers} | {row['equal']} |"
    yield from _suites(report)


def _suites(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["suites"]:
        return
    yield ""
    yield "## Client suites"
    yield ""
    yield "`lost`: tests of the suite's allow-list that did not pass on klamm."
    yield ""
    yield "| suite | passed on klamm | failed | skipped | lost | passed on Kafka | failed |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in report["suites"]:
        name = f"{row['suite']} {row['version']}"
        if "target" not in row:
            yield f"| {name} | did not run: {row.get('not_run', '')} | | | | | |"
            continue
        ours, other = row["target"], row.get("against", {"passed": 0, "failed": {}})
        yield (
            f"| {name} | {ours['passed']} | {len(ours['failed'])} | {len(ours['skipped'])} | {len(row['lost'])} "
            f"| {other['passed']} | {len(other['failed'])} |"
        )


def _api_rows(report: Mapping[str, Any]) -> Iterator[str]:
    rows = by_api(report)
    not_asked = {row["api"]: row["versions"] for row in report["not_asked"]}
    for api in sorted(report["advertised"]):
        found = rows.get(api, {})
        marks = {version: _MARKS[verdict(row)] for version, row in found.items()}
        marks |= dict.fromkeys(not_asked.get(api, ()), ".")
        equal = sum(row["equal"] for row in found.values())
        answers = equal + sum(row["explained"] + row["unexplained"] for row in found.values())
        versions = " ".join(f"{version}{mark}" for version, mark in sorted(marks.items()))
        yield f"| {api} | {versions} | {answers} | {equal} |"


def _span(versions: list[int]) -> str:
    return str(versions[0]) if len(versions) == 1 else f"{versions[0]}-{versions[-1]}"


def differences(report: Mapping[str, Any]) -> str:
    """The text of docs/differences.md."""
    parts = [
        "# Known differences between klamm and Apache Kafka 4.3.1\n\n"
        "Made by `python -m compat.kit.pages` from [compatibility.json](compatibility.json) and\n"
        "`compat/differential/known.py`; do not edit by hand.\n\n"
        "The same requests go to both and the answers are compared, field by field. What is not listed here was equal\n"
        f"in {report['cases']} cases, in every version of every API that klamm advertises: see\n"
        "[compatibility.md](compatibility.md).\n"
    ]
    for entry in KNOWN:
        reason = "\n".join(wrap(entry.reason, 110))
        parts.append(f"\n## {entry.number}. {entry.title}\n\n{reason}\n\nCases: {_cases(entry, report)}\n")
    return "".join(parts)


def _cases(entry: Known, report: Mapping[str, Any]) -> str:
    met = [row["case"] for row in report["by_case"] if entry.number in row["known"]]
    return ", ".join(map(_link, dict.fromkeys(met or [place.case for place in entry.places])))


def _link(case: str) -> str:
    module, _, name = case.partition(".")
    return f"[{module}.{name}]({_CASES}/{module}.py)"


def main() -> None:
    report = json.loads(CARD.read_text())
    for path, text in ((COMPATIBILITY, compatibility(report)), (DIFFERENCES, differences(report))):
        path.write_text(text)
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
