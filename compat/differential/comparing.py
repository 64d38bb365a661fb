"""Where the steps of a case differ between two brokers.

A path names the place inside an answer: `.topics[0].errorCode`; a step that only one broker took differs as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from compat.differential.normal import Json, identity
from compat.differential.run import Step

ABSENT = "<absent>"
_INDEX = re.compile(r"\[\d+\]")


class Difference(NamedTuple):
    """One place where two answers are not equal."""

    case: str
    step: int
    api: str
    version: int
    note: str
    path: str
    left: Json
    right: Json


def describe(differences: Sequence[Difference]) -> list[str]:
    """A line for each difference; the same one in several versions or steps, or places of a list, is one line."""
    lines: dict[tuple[str, str], tuple[set[int], list[str]]] = {}
    for found in differences:
        path = _INDEX.sub("[]", found.path) or "answer"
        what = f"{path}: {_short(found.left, 300)} | {_short(found.right, 300)}"
        versions, notes = lines.setdefault((found.api, what), (set(), []))
        versions.add(found.version)
        if found.note not in notes:
            notes.append(found.note)
    return [
        f"{api} v{','.join(map(str, sorted(versions)))} {what}\n    {_short('; '.join(notes), 700)}"
        for (api, what), (versions, notes) in lines.items()
    ]


def _short(value: Json, length: int) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= length else f"{text[:length]}…"


def compare(case: str, left: Sequence[Step], right: Sequence[Step]) -> list[Difference]:
    """All differences between the steps of one case."""
    found = []
    for i in range(max(len(left), len(right))):
        a = left[i] if i < len(left) else None
        b = right[i] if i < len(right) else None
        step = a or b
        assert step is not None
        where = (case, i, step.api, step.version, step.note)
        if a is None or b is None or a[:3] != b[:3]:
            found.append(Difference(*where, "", (a and [*a]) or ABSENT, (b and [*b]) or ABSENT))
            break
        found += [Difference(*where, *difference) for difference in _walk("", a.outcome, b.outcome)]
    return found


def _walk(path: str, left: Json, right: Json) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            yield from _walk(f"{path}.{key}", left.get(key, ABSENT), right.get(key, ABSENT))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from _walk(f"{path}[{i}]", a, b)
    elif isinstance(left, list) and isinstance(right, list) and _distinct(left) and _distinct(right):
        yield from _walk(path, {identity(item): item for item in left}, {identity(item): item for item in right})
    elif left != right or type(left) is not type(right):
        yield path, left, right


def _distinct(items: list[Json]) -> bool:
    """Whether lists of different lengths can be compared item by item."""
    return len({identity(item) for item in items}) == len(items)
