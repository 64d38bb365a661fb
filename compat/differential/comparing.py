"""Where the steps of a case differ between two brokers.

A path names the place inside an answer: `.topics[0].errorCode`; a step that only one broker took differs as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from compat.differential.run import Step
from klamm.proxy.comparing import ABSENT, short, walk
from klamm.proxy.normal import Json

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
        versions, notes = lines.setdefault((found.api, what(found)), (set(), []))
        versions.add(found.version)
        if found.note not in notes:
            notes.append(found.note)
    return [
        f"{api} v{','.join(map(str, sorted(versions)))} {kind}\n    {short('; '.join(notes), 700)}"
        for (api, kind), (versions, notes) in lines.items()
    ]


def place(found: Difference) -> str:
    """The path without the numbers of elements in their lists."""
    return _INDEX.sub("[]", found.path)


def what(found: Difference) -> str:
    """The kind of a difference: the place and both values."""
    return f"{place(found) or 'answer'}: {short(found.left, 300)} | {short(found.right, 300)}"


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
        found += [Difference(*where, *difference) for difference in walk("", a.outcome, b.outcome)]
    return found
