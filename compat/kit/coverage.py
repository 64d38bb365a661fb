"""Which of the advertised API versions a run has asked, and which the tried server does not have at all."""

from __future__ import annotations

from typing import Any

from compat.differential.card import Card
from compat.kit.pairs import Pair, Served
from klamm.kproto.apis import APIS


def coverage(pair: Pair, card: Card) -> dict[str, Any]:
    """`advertised`: API -> [low, high] of the left broker; `not_asked` and `absent`: rows of api and versions."""
    advertised: dict[str, list[int]] = {}
    not_asked: list[dict[str, Any]] = []
    absent: list[dict[str, Any]] = []
    for listener, (left, right) in pair.served.items():
        for key, versions in sorted(left.items()):
            name = _name(key, listener)
            advertised[name] = [versions.start, versions.stop - 1]
            if missed := [version for version in _stable(key, versions) if (name, version) not in card.asked()]:
                not_asked.append({"api": name, "versions": missed})
        absent += _absent(left, right, listener)
    return {"advertised": advertised, "not_asked": not_asked, "absent": absent}


def _absent(left: Served, right: Served, listener: str) -> list[dict[str, Any]]:
    rows = [
        {"api": _name(key, listener), "versions": [v for v in versions if v not in left.get(key, range(0))]}
        for key, versions in sorted(right.items())
    ]
    return [row for row in rows if row["versions"]]


def _stable(key: int, versions: range) -> list[int]:
    # Brokers claim Produce 0 to 2, for the sake of old librdkafka, and refuse them: odd_frames asks for those.
    return [v for v in versions if key not in APIS or APIS[key].low <= v <= APIS[key].high]


def _name(key: int, listener: str) -> str:
    return (APIS[key].name if key in APIS else f"key {key}") + listener
