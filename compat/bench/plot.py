"""The figures as a picture: how many times better or worse than Kafka klamm is, metric by metric, as SVG.

One scale for all units: a bar to the right is a metric in which klamm is better, its length the logarithm of the ratio
of the medians; the thin line is what the rounds' best and worst would have given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from compat.bench.goals import METRICS

_LEFT, _WIDTH, _ROW, _TOP = 330, 560, 20, 46
_FACTOR_MAX = 100.0
_TICKS = (0.01, 0.1, 0.5, 1, 2, 10, 100)
_MORE_IS_BETTER = {metric.key: metric.more_is_better for metric in METRICS}


def advantage(row: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """How many times better klamm is: with the medians, at worst and at best. None where one side has no figure."""
    ours, theirs = row.get("klamm"), row.get("kafka")
    if not ours or not theirs or not all(side[name] > 0 for side in (ours, theirs) for name in side):
        return None
    if not _MORE_IS_BETTER[row["metric"]]:
        ours, theirs = theirs, ours
    return (
        ours["median"] / theirs["median"],
        ours["least"] / theirs["most"],
        ours["most"] / theirs["least"],
    )


def svg(rows: Sequence[Mapping[str, Any]]) -> str:
    """The whole picture. `rows` are those of `report.rows`."""
    shown = [(row, found) for row in rows if (found := advantage(row)) is not None]
    height = _TOP + _ROW * len(shown) + 16
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 70}" height="{height}" '
            'font-family="system-ui, sans-serif" font-size="12">',
            f'<rect width="{_LEFT + _WIDTH + 70}" height="{height}" fill="#fff"/>',
            '<text x="10" y="18" font-size="14">klamm beside Kafka 4.3.1: times better (right) or worse (left)</text>',
            *_axis(height),
            *(line for number, (row, found) in enumerate(shown) for line in _bar(number, row, found)),
            "</svg>\n",
        ]
    )


def _x(factor: float) -> float:
    bounded = min(max(factor, 1 / _FACTOR_MAX), _FACTOR_MAX)
    return _LEFT + _WIDTH * (math.log(bounded) / math.log(_FACTOR_MAX) + 1) / 2


def _axis(height: int) -> Iterator[str]:
    for tick in _TICKS:
        x = _x(tick)
        colour = "#555" if tick == 1 else "#ddd"
        yield f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 10}" stroke="{colour}"/>'
        yield f'<text x="{x:.1f}" y="{_TOP - 12}" text-anchor="middle" fill="#555">{tick:g}</text>'


def _bar(number: int, row: Mapping[str, Any], found: tuple[float, float, float]) -> Iterator[str]:
    middle, worst, best = found
    y = _TOP + _ROW * number
    left, right = sorted((_x(1), _x(middle)))
    colour = "#4c9a5b" if middle >= 1 else "#c4674f"
    yield f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(row["label"])}</text>'
    yield f'<rect x="{left:.1f}" y="{y + 4}" width="{max(right - left, 1):.1f}" height="11" fill="{colour}"/>'
    yield f'<line x1="{_x(worst):.1f}" y1="{y + 9.5}" x2="{_x(best):.1f}" y2="{y + 9.5}" stroke="#222"/>'
    yield f'<text x="{_LEFT + _WIDTH + 8}" y="{y + 13}">{middle:.3g}x</text>'
