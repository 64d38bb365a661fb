"""Which of the advertised API versions a run has asked, and which the tried server does not have at all."""

from __future__ import annotations

from typing import Any

from compat.differential.card import Card
from compat.kit.pairs import Pair, Served
from klamm.kproto.apis import APIS


def coverage(pair: Pair, card: Card) -> dict[str, Any]:
    """`advertised`: API -> [low, high] of the left broker; `not_asked` and `absent`: rows of api and versions."""
    asked = card.asked()
    not_asked, absent = [], []
    for key, versions in sorted(pair.left_serves.items()):
        name = _name(key)
        # Both claim Produce 0 to 2, for the sake of old librdkafka, and refuse them: odd_frames asks for those.
        stable = range(APIS[key].low, APIS[key].high + 1) if key in APIS else versions
        if missed := [version for version in versions if version in stable and (name, version) not in asked]:
            not_asked.append({"api": name, "versions": missed})
    for key, versions in sorted(pair.right_serves.items()):
        ours = pair.left_serves.get(key, range(0))
        if missing := [version for version in versions if version not in ours]:
            absent.append({"api": _name(key), "versions": missing})
    return {"advertised": _ranges(pair.left_serves), "not_asked": not_asked, "absent": absent}


def _name(key: int) -> str:
    return APIS[key].name if key in APIS else f"key {key}"


def _ranges(served: Served) -> dict[str, list[int]]:
    return {_name(key): [versions.start, versions.stop - 1] for key, versions in sorted(served.items())}
