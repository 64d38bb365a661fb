"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compat.bench.goals import METRICS, Metric
from compat.bench.measure import Spread

Samples = Mapping[str, Mapping[str, Sequence[float]]]
"""Metric key -> "klamm" or "kafka" -> one value a round."""


def row(metric: Metric, sides: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """One metric: the spread on both sides, the ratio of the medians, and whether it reaches its goals."""
    spreads = {side: Spread.of(values) for side, values in sides.items() if values}
    ours, theirs = spreads.get("klamm"), spreads.get("kafka")
    ratio = ours.median / theirs.median if ours and theirs and theirs.median else None
    return {
        "metric": metric.key,
        "label": metric.label.strip(),
        "unit": metric.unit,
        **{side: vars(spread) for side, spread in spreads.items()},
        "ratio": ratio,
        "goal": metric.goal,
        "reaches_goal": _reaches(metric, ratio, metric.goal),
        "moonshot": metric.moonshot,
        "reaches_moonshot": _reaches(metric, ratio, metric.moonshot),
        "limit": metric.limit,
        "within_limit": ours.median <= metric.limit if ours and metric.limit is not None else None,
    }


def _reaches(metric: Metric, ratio: float | None, bound: float | None) -> bool | None:
    return None if ratio is None or bound is None else metric.reaches(ratio, bound)


def rows(samples: Samples) -> list[dict[str, Any]]:
    """The rows of the metrics that were measured, in the order of goals.py."""
    return [row(metric, samples[metric.key]) for metric in METRICS if metric.key in samples]


_HEAD = "| metric | unit | klamm min / median / max | Kafka min / median / max | ratio | realistic | moonshot |"


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table."""
    lines = [_HEAD, "|" + " --- |" * 7]
    for one in found:
        ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}"
        realistic = _verdict(one["goal"], one["reaches_goal"])
        if one["limit"] is not None:
            realistic = f"at most {one['limit']:g} {_passed(one['within_limit'])}"
        moonshot = _verdict(one["moonshot"], one["reaches_moonshot"])
        cells = (one["label"], one["unit"], _spread(one.get("klamm")), _spread(one.get("kafka")), ratio, realistic,
                 moonshot)  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _verdict(bound: float | None, reaches: bool | None) -> str:
    return "" if bound is None else f"{bound:g} {_passed(reaches)}"


def _passed(reaches: bool | None) -> str:
    return {True: "pass", False: "MISS", None: "-"}[reaches]


def _spread(spread: Mapping[str, float] | None) -> str:
    return "" if spread is None else " / ".join(_short(spread[name]) for name in ("least", "median", "most"))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
