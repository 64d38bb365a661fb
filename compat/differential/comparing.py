"""Where the steps of a case differ between two brokers.

A path names the place inside an answer: `.topics[0].errorCode`; a step that only one broker took differs as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from compat.differential.normal import Json
from compat.differential.run import Step

ABSENT = "<absent>"


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
    """A line for each difference; the same one in several versions or steps is one line."""
    lines: dict[tuple[str, str], tuple[set[int], dict[str, None]]] = {}
    for found in differences:
        what = f"{found.path or 'answer'}: {_short(found.left)} | {_short(found.right)}"
        versions, notes = lines.setdefault((found.api, what), (set(), {}))
        versions.add(found.version)
        notes[found.note] = None
    return [
        f"{api} v{','.join(map(str, sorted(versions)))} ({_short('; '.join(notes))}) {what}"
        for (api, what), (versions, notes) in lines.items()
    ]


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"


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
            found.append(Difference(*where, "", a and [*a] or ABSENT, b and [*b] or ABSENT))
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
    elif isinstance(left, list) and isinstance(right, list) and _named(left) and _named(right):
        yield from _walk(path, {_name(item): item for item in left}, {_name(item): item for item in right})
    elif left != right or type(left) is not type(right):
        yield path, left, right


def _named(items: list[Json]) -> bool:
    """Whether lists of different lengths can be told apart item by item."""
    names = [_name(item) for item in items]
    return None not in names and len(set(names)) == len(names)


def _name(item: Json) -> Json:
    if not isinstance(item, dict):
        return None
    return item.get("name", item.get("topic", item.get("apiKey")))
