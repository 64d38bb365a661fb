"""The page about a server that is neither klamm nor Kafka (kfake), made from its card.

What differs is grouped by API and field, because nobody has reasons for it here: the page tells what the kit finds out
about a server that it knows nothing of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from compat.differential.run import ON_CONTROLLER
from compat.kit.text import by_api, share
from klamm.kproto.errors import name_of

_SHOWN = 4
"""Kinds of differences for each API."""
_WIDTH = 160


def page(report: Mapping[str, Any]) -> str:
    """The text of docs/compatibility-kfake.md."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    cut = [row for row in report["by_case"] if row.get("cut")]
    yield "# A server that is neither: kfake"
    yield ""
    yield "Made by `python -m compat.kit.pages` from [cards/kfake.json](cards/kfake.json); do not edit by hand."
    yield ""
    yield "[kfake](../compat/kfake/README.md) is the fake cluster of the Go client franz-go, made for its tests. The"
    yield f"kit met it as an address. Of {report['answers']} answers in {report['cases']} cases **{share(report)} are"
    yield f"equal** to those of Kafka 4.3.1, {report['unexplained']} are not. {len(cut)} cases ended early, because"
    yield "they need what it does not serve or what cannot be done from outside. The kit was told nothing about it."
    yield ""
    yield "    klamm compat run --bootstrap localhost:9092 --against kafka --no-suites --json docs/cards/kfake.json"
    yield ""
    yield "## APIs"
    yield ""
    yield f"It serves {len(report['advertised'])} APIs. Asked were the versions that both serve."
    yield ""
    yield "| API | versions asked | answers | equal | share |"
    yield "| --- | --- | ---: | ---: | ---: |"
    yield from _api_rows(report)
    yield ""
    yield "Kafka's brokers serve these besides:"
    yield ""
    missing = [
        f"{row['api']} {', '.join(map(str, row['versions']))}"
        for row in report["absent"]
        if not row["api"].endswith(ON_CONTROLLER)
    ]
    yield "\n".join(wrap("; ".join(missing), 120)) + "."
    yield ""
    yield "## What differs most often"
    yield ""
    yield "Field, its value here, and Kafka's."
    yield ""
    yield "| API | differences | kfake \\| Kafka |"
    yield "| --- | ---: | --- |"
    found = sorted(report["differing"].items(), key=lambda item: (-sum(item[1].values()), item[0]))
    for api, kinds in found:
        for kind, count in list(kinds.items())[:_SHOWN]:
            yield f"| {api} | {count} | `{_cell(kind)}` |"
    if report["broken"]:
        yield ""
        yield "## What could not go on"
        yield ""
        for name, why in report["broken"].items():
            yield f"- {name}: {why}"
    if cut:
        yield ""
        yield "## Cases that ended early"
        yield ""
        reasons: dict[str, list[str]] = {}
        for row in cut:
            reasons.setdefault(row["cut"], []).append(row["case"])
        for why, names in sorted(reasons.items()):
            yield f"- {why}: {', '.join(names)}"


def _cell(kind: str) -> str:
    """Fit for a table; error codes by their names."""
    place, _, values = kind.partition(": ")
    if place.endswith("rrorCode"):
        named = (name_of(int(v)) if v.lstrip("-").isdigit() else v for v in values.split(" | "))
        kind = f"{place}: {' | '.join(named)}"
    shown = kind if len(kind) <= _WIDTH else f"{kind[:_WIDTH]}..."
    return shown.replace("|", "\\|").replace("`", "'").replace("\n", " ")


def _api_rows(report: Mapping[str, Any]) -> Iterator[str]:
    for api, versions in by_api(report).items():
        equal = sum(row["equal"] for row in versions.values())
        answers = equal + sum(row["explained"] + row["unexplained"] for row in versions.values())
        part = share({"answers": answers, "equal": equal})
        yield f"| {api} | {', '.join(map(str, sorted(versions)))} | {answers} | {equal} | {part} |"
