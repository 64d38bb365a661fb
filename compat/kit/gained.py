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
    """The card then says so, too."""
    card = Path(sys.argv[1])
    report = json.loads(card.read_text())
    lists = {suite.name: suite.allow_list for suite in all_suites()}
    for row in report["suites"]:
        path = lists.get(row["suite"])
        if path is None:
            continue
        # What stands on another list of the folder does so for a reason, which whoever moves it has to look at.
        others = {test for file in path.parent.glob("tests.*") if file != path for test in read_list(file)}
        if tests := [test for test in row["gained"] if test not in others]:
            add(path, tests)
            sys.stdout.write(f"{path}: {len(tests)} more\n")
        row["gained"] = [test for test in row["gained"] if test in others]
    card.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
