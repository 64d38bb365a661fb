"""The score card as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from compat.kit.text import by_api, not_passed, share, verdict

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; } td, th { padding: .15em .5em; text-align: left; border-bottom: 1px solid #e5e5e5; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.v { display: inline-block; min-width: 1.6em; text-align: center; margin: 1px; border-radius: 3px; font-size: .85em; }
.equal { background: #cdebd0; } .explained { background: #ffe9a8; } .unexplained { background: #f6b7b1; }
.none { background: #eee; color: #777; } .absent { background: #fff; color: #999; outline: 1px dashed #bbb; }
pre { background: #f7f7f7; padding: .7em; overflow-x: auto; font-size: .82em; } .big { font-size: 2em; }
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    names = f"{report.get('target_name', report['target'])} against {report.get('against_name', report['against'])}"
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width"><title>', escape(names), "</title><style>", _STYLE,
            "</style></head><body>\n<h1>", escape(names), "</h1>\n",
            f'<p><span class="big">{share(report)}</span> of {report["answers"]} answers are equal, in '
            f"{report['cases']} cases; {report['explained']} differ for a known reason, "
            f"{report['unexplained']} otherwise.</p>\n",
            *_apis(report), *_suites(report), *_cases(report), "</body></html>\n",
        ]
    )  # fmt: skip


def _apis(report: Mapping[str, Any]) -> Iterator[str]:
    yield '<h2>APIs and their versions</h2>\n<p><span class="v equal">=</span> equal '
    yield '<span class="v explained">~</span> known difference <span class="v unexplained">!</span> difference '
    yield '<span class="v none">.</span> not asked <span class="v absent">-</span> not served</p>\n'
    yield "<table><tr><th>API</th><th>answers</th><th>equal</th><th>versions</th></tr>\n"
    rows = by_api(report)
    marks: dict[str, dict[int, str]] = {
        api: {v: verdict(row) for v, row in found.items()} for api, found in rows.items()
    }
    for kind, mark in (("not_asked", "none"), ("absent", "absent")):
        for entry in report.get(kind, ()):
            marks.setdefault(entry["api"], {}).update(dict.fromkeys(entry["versions"], mark))
    for api in sorted(rows if report.get("is_part") else marks):
        found = rows.get(api, {}).values()
        equal = sum(row["equal"] for row in found)
        answers = equal + sum(row["explained"] + row["unexplained"] for row in found)
        cells = "".join(f'<span class="v {mark}">{version}</span>' for version, mark in sorted(marks[api].items()))
        yield f'<tr><td>{escape(api)}</td><td class="n">{answers}</td><td class="n">{equal}</td><td>{cells}</td></tr>\n'
    yield "</table>\n"


def _suites(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["suites"]:
        return
    yield "<h2>Client suites</h2>\n<table><tr><th>suite</th><th>passed</th><th>failed</th><th>skipped</th>"
    yield "<th>lost</th><th>the other: passed</th><th>failed</th><th>what the other passes alone, and why</th></tr>\n"
    for row in report["suites"]:
        yield f"<tr><td>{escape(row['suite'])} {escape(row['version'])}</td>"
        if "target" in row:
            ours, other = row["target"], row.get("against", {"passed": 0, "failed": {}})
            counts = (ours["passed"], len(ours["failed"]), len(ours["skipped"]), len(row["lost"]), other["passed"],
                      len(other["failed"]))  # fmt: skip
            yield "".join(f'<td class="n">{count}</td>' for count in counts)
            lost = [f"lost {test}: {why}" for test, why in row["lost"].items()]
            later = [f"{reason}: {', '.join(tests)}" for reason, tests in not_passed(row).items()]
            yield f"<td>{escape('; '.join([*lost, *later]))}</td>"
        else:
            yield f'<td colspan="7">did not run: {escape(row.get("not_run", ""))}</td>'
        yield "</tr>\n"
    yield "</table>\n"


def _cases(report: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Cases</h2>\n<table><tr><th>case</th><th>equal</th><th>explained</th><th>unexplained</th><th></th></tr>\n"
    for row in report["by_case"]:
        counts = "".join(f'<td class="n">{row[name]}</td>' for name in ("equal", "explained", "unexplained"))
        said = ", ".join(f"known difference {number}" for number in row["known"])
        said = "; ".join(part for part in (said, row.get("cut", ""), report["broken"].get(row["case"], "")) if part)
        yield f'<tr><td><span class="v {verdict(row)}">&nbsp;</span> {escape(row["case"])}</td>{counts}'
        yield f"<td>{escape(said)}</td></tr>\n"
        if row.get("differences"):
            lines = "\n".join(row["differences"])
            yield f'<tr><td colspan="5"><pre>{escape(lines)}</pre></td></tr>\n'
    yield "</table>\n"
