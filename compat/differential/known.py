"""The differences between klamm and Kafka 4.3.1 that are meant, each with a number and its reason.

`docs/differences.md` is made from this list by `python -m compat.differential.known`. An entry that no case meets any more
fails the run: it must go.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from compat.differential.comparing import Difference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "differences.md"

_HEAD = """\
# Known differences between klamm and Apache Kafka 4.3.1

Made by `python -m compat.differential.known` from `compat/differential/known.py`; do not edit by hand.

The differential suite (`compat/differential`) sends the same requests to both and compares the answers, field by field. What
is not listed here was equal in every case of the suite, in every version of every API that klamm advertises.
"""


class Known(NamedTuple):
    """A meant difference: where it shows (shell patterns; `*` matches dots and brackets too), and why it is."""

    number: int
    title: str
    reason: str
    case: str
    api: str = "*"
    note: str = "*"
    path: str = "*"

    def explains(self, found: Difference) -> bool:
        path = found.path.replace("[", "(").replace("]", ")")  # in a shell pattern brackets are a class of characters
        return (
            fnmatchcase(found.case, self.case)
            and fnmatchcase(found.api, self.api)
            and fnmatchcase(found.note, self.note)
            and fnmatchcase(path, self.path)
        )


KNOWN: Sequence[Known] = (
)


def explanation(found: Difference) -> Known | None:
    """The entry that explains a difference."""
    return next((entry for entry in KNOWN if entry.explains(found)), None)


def page() -> str:
    """The text of docs/differences.md."""
    parts = [_HEAD]
    seen: set[int] = set()
    for entry in KNOWN:
        if entry.number in seen:
            continue
        seen.add(entry.number)
        cases = ", ".join(sorted({f"`{e.case}`" for e in KNOWN if e.number == entry.number}))
        parts.append(f"\n## {entry.number}. {entry.title}\n\n{entry.reason}\n\nCases: {cases}\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
