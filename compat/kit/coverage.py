"""Which of the advertised API versions a run has asked, which error codes it met, and what the tried server lacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from compat.differential.card import Card
from compat.differential.run import Step
from compat.kit.pairs import Pair, Served
from klamm.kproto import errors
from klamm.kproto.apis import APIS
from klamm.proxy.normal import Json


class Errors:
    """The error codes that the answers of one broker held, by API."""

    def __init__(self) -> None:
        self._codes: dict[str, set[int]] = defaultdict(set)

    def add(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if codes := set(_codes(step.outcome)):
                self._codes[step.api] |= codes

    def as_json(self) -> dict[str, list[str]]:
        """API -> the names of its codes, in the order of their numbers."""
        return {api: [errors.name_of(code) for code in sorted(codes)] for api, codes in sorted(self._codes.items())}


def _codes(outcome: Json) -> Iterator[int]:
    if isinstance(outcome, dict):
        for name, value in outcome.items():
            if name.lower().endswith("errorcode") and isinstance(value, int):
                yield value
            else:
                yield from _codes(value)
    elif isinstance(outcome, list):
        for item in outcome:
            yield from _codes(item)


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
