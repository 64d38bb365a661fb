"""`python -m compat.kit.gained CARD.json`: tests that passed and are not on their suite's allow-list yet, put there.

Lists only grow: what is on one stays, in alphabetical order with what is new.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from compat.suites import all_suites, read_list


def add(path: Path, tests: Iterable[str]) -> None:
    """Put tests on a list, which is made if there is none; comments of their own lines stay at its head."""
    lines = path.read_text().splitlines() if path.exists() else []
    head = [line for line in lines if line.startswith("#")]
    known = read_list(path) if path.exists() else {}
    rows = {**dict.fromkeys(tests, ""), **known}
    body = [f"{test}  # {why}" if why else test for test, why in sorted(rows.items())]
    path.write_text("".join(f"{line}\n" for line in (*head, *body)))


def main() -> None:
    lists = {suite.name: suite.allow_list for suite in all_suites()}
    for row in json.loads(Path(sys.argv[1]).read_text())["suites"]:
        path = lists.get(row["suite"])
        if path is not None and row["gained"]:
            add(path, row["gained"])
            sys.stdout.write(f"{path}: {len(row['gained'])} more\n")


if __name__ == "__main__":
    main()
