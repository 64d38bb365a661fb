"""`python -m compat.kit.pages`: the pages of docs/ about equality with Kafka, made from the cards of runs.

docs/compatibility.json is klamm's card; in docs/cards are those of real Kafka against itself and of kfake, which is
neither. Nobody writes the pages by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from compat.differential.known import KNOWN, Known
from compat.kit import another, html
from compat.kit.text import SCENARIOS, by_api, not_passed, share, verdict

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
CARD: Final = DOCS / "compatibility.json"
ITSELF: Final = DOCS / "cards" / "kafka-itself.json"
KFAKE: Final = DOCS / "cards" / "kfake.json"
COMPATIBILITY: Final = DOCS / "compatibility.md"
AS_HTML: Final = DOCS / "compatibility.html"
DIFFERENCES: Final = DOCS / "differences.md"
ANOTHER: Final = DOCS / "compatibility-kfake.md"
_CASES: Final = "../compat/differential/cases"
_MARKS: Final = {"equal": "", "explained": "~", "unexplained": "!"}

Report = Mapping[str, Any]


def compatibility(report: Report, itself: Report) -> str:
    """The text of docs/compatibility.md. `itself`: the card of Kafka against itself."""
    return "\n".join(_compatibility(report, itself)) + "\n"


def _compatibility(report: Report, itself: Report) -> Iterator[str]:
    yield "# How far klamm is from Apache Kafka 4.3.1"
    yield ""
    yield "Made by `python -m compat.kit.pages` from [compatibility.json](compatibility.json); do not edit by hand."
    yield "With every case, as a page of HTML: [compatibility.html](compatibility.html)."
    yield ""
    yield f"The same {report['cases']} cases ran on both. Of {report['answers']} answers **{share(report)} are equal**,"
    yield f"{report['explained']} differ for a reason of [differences.md](differences.md),"
    yield f"{report['unexplained']} otherwise."
    yield ""
    yield "    klamm compat run --target klamm --against kafka --json docs/compatibility.json"
    yield ""
    yield f"Real Kafka against itself, in the same {itself['cases']} cases: {itself['equal']} of {itself['answers']}"
    yield f"answers are equal, **{share(itself)}** ([its card](cards/kafka-itself.json)). So nothing in the rules of"
    yield "equality depends on chance, and what they leave is what a server repeats. A server that is neither, held to"
    yield "Kafka in the same way: [kfake](compatibility-kfake.md)."
    yield ""
    yield "    klamm compat run --target kafka --against kafka --no-suites --json docs/cards/kafka-itself.json"
    yield ""
    yield "## APIs"
    yield ""
    yield "Every API and version that klamm advertises, to clients and (`@controller`) on the controllers' listener."
    yield "`~` behind a version: some answers differ for a known reason; `!`: otherwise; `.`: not asked. `errors`: the"
    yield "error codes, 0 among them, that Kafka's answers had."
    yield ""
    yield "| API | versions | answers | equal | errors |"
    yield "| --- | --- | ---: | ---: | ---: |"
    yield from _api_rows(report)
    yield ""
    yield from _reached(report)
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
    yield from _suites(report["suites"])


def _suites(suites: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not suites:
        return
    yield ""
    yield "## Client suites"
    yield ""
    yield "Each ran on real Kafka first. `skipped`: tests that need a broker or a client of their own, and those named"
    yield "below; `lost`: tests of the suite's allow-list that did not pass on klamm."
    yield ""
    yield "| suite | Kafka: passed | failed | skipped | klamm: passed | failed | skipped | lost |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in suites:
        name = f"{row['suite']} {row['version']}"
        if "target" not in row or "against" not in row:
            yield f"| {name} | did not run: {row.get('not_run', '')} | | | | | | |"
            continue
        cells = [
            str(count)
            for side in (row["against"], row["target"])
            for count in (side["passed"], len(side["failed"]), len(side["skipped"]))
        ]
        yield f"| {name} | {' | '.join(cells)} | {len(row['lost'])} |"
    rows = [(row["suite"], reason, tests) for row in suites for reason, tests in not_passed(row).items()]
    if rows:
        yield ""
        yield "What Kafka passes and klamm does not; the folders' FINDINGS.md say more:"
        yield ""
        yield "| suite | reason | tests |"
        yield "| --- | --- | --- |"
        for suite, reason, tests in rows:
            yield f"| {suite} | {reason} | {', '.join(test.rpartition('::')[2] for test in tests)} |"


def _api_rows(report: Report) -> Iterator[str]:
    rows = by_api(report)
    not_asked = {row["api"]: row["versions"] for row in report["not_asked"]}
    for api in sorted(report["advertised"]):
        found = rows.get(api, {})
        marks = {version: _MARKS[verdict(row)] for version, row in found.items()}
        marks |= dict.fromkeys(not_asked.get(api, ()), ".")
        equal = sum(row["equal"] for row in found.values())
        answers = equal + sum(row["explained"] + row["unexplained"] for row in found.values())
        versions = " ".join(f"{version}{mark}" for version, mark in sorted(marks.items()))
        yield f"| {api} | {versions} | {answers} | {equal} | {len(report['errors'].get(api, ()))} |"


def _reached(report: Report) -> Iterator[str]:
    """The error codes of Kafka's answers, by API."""
    pairs = sum(len(names) for names in report["errors"].values())
    yield f"Kafka's answers held {pairs} pairs of an API and an error code:"
    yield ""
    yield "<details><summary>which</summary>"
    yield ""
    for api, names in sorted(report["errors"].items()):
        yield f"- {api}: {', '.join(names)}"
    yield ""
    yield "</details>"
    yield ""


def _span(versions: list[int]) -> str:
    return str(versions[0]) if len(versions) == 1 else f"{versions[0]}-{versions[-1]}"


def differences(report: Report) -> str:
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


def _cases(entry: Known, report: Report) -> str:
    met = [row["case"] for row in report["by_case"] if entry.number in row["known"]]
    return ", ".join(map(_link, dict.fromkeys(met or [place.case for place in entry.places])))


def _link(case: str) -> str:
    module, _, name = case.partition(".")
    return f"[{module}.{name}]({_CASES}/{module}.py)"


def made() -> dict[Path, str]:
    """Path -> text of every page, from the committed cards."""
    card, itself, kfake = (json.loads(path.read_text()) for path in (CARD, ITSELF, KFAKE))
    return {
        COMPATIBILITY: compatibility(card, itself),
        AS_HTML: html.page(card),
        DIFFERENCES: differences(card),
        ANOTHER: another.page(kfake),
    }


def main() -> None:
    for path, text in made().items():
        path.write_text(text)
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
