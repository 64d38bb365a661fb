"""`python -m compat.shared_directory`: klamm and real Kafka in turns on one directory, told as a table.

Two stories: one begins with what Kafka has made, the other with what klamm has. Exit status 1 when two readings
differed or a file was not valid; the directory is then kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from compat.java.tools import Tools
from compat.shared_directory.story import Row, Story, Turn, tell

_HEAD = ("life", "facts", "differ", "files", "batches", "faults", "seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", choices=["kafka", "klamm", "both"], default="both", help="who makes the data")
    parser.add_argument("--turns", type=int, default=4, help="lives in turns after the first ones")
    parser.add_argument("--size", type=int, default=2, help="scales the numbers of records")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(_line(_HEAD), flush=True)
    good = True
    with tempfile.TemporaryDirectory(prefix="shared-directory-tools-") as scratch:
        tools = Tools(Path(scratch))
        try:
            for first in ("kafka", "klamm") if options.first == "both" else (options.first,):
                for kill in (False, True):
                    good &= _story(tools, first, kill, options)
        finally:
            tools.close()
    return 0 if good else 1


def _story(tools: Tools, first: str, kill: bool, options: argparse.Namespace) -> bool:
    directory = Path(tempfile.mkdtemp(prefix="shared-directory-"))
    story = Story(directory / "place", tools, options.seed, options.size)
    other = {"kafka": "klamm", "klamm": "kafka"}
    turns = [Turn(other[first] if n % 2 == 0 else first, n % 4 in (1, 2)) for n in range(options.turns)]
    good = tell(story, first, kill, turns, _show)
    if good:
        story.place.remove()
        directory.rmdir()
    else:
        print(f"the directory is {directory}", file=sys.stderr)
    return good


def _show(row: Row) -> None:
    cells = (row.life, row.facts, len(row.differences), row.files, row.batches, len(row.faults), f"{row.seconds:.1f}")
    print(_line(cells), flush=True)
    for line in [*row.differences[:20], *row.faults[:20]]:
        print(f"    {line}", flush=True)


def _line(cells: tuple[object, ...]) -> str:
    first, *rest = cells
    return f"{first!s:28}" + "".join(f"{cell!s:>9}" for cell in rest)


if __name__ == "__main__":
    sys.exit(main())
