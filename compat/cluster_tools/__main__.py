"""Run parts of the story and print what differs from what real Kafka said, or say what it says now (`--record`)."""

from __future__ import annotations

import argparse
import difflib
import sys
import tempfile
import time
from pathlib import Path

from compat.cluster_tools.layouts import LAYOUTS
from compat.cluster_tools.run import KINDS, differences, play, record, recorded
from compat.java.tools import Tools


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat.cluster_tools", description=__doc__)
    parser.add_argument("layout", choices=sorted(LAYOUTS))
    parser.add_argument("parts", nargs="*", help="some parts of the story; all by default")
    parser.add_argument("--target", choices=sorted(KINDS), default="klamm")
    parser.add_argument("--record", action="store_true", help="with --target kafka: keep what it says")
    parser.add_argument("--show", action="store_true", help="print every step")
    given = parser.parse_args()
    layout = given.layout
    parts = [part for part in LAYOUTS[layout].parts if not given.parts or part.__name__ in given.parts]
    known = {} if given.record else recorded(layout)
    began = time.monotonic()
    count = found = 0
    with tempfile.TemporaryDirectory(prefix="cluster-tools-") as directory:
        tools = Tools(Path(directory))
        told = {}
        for part, steps in play(KINDS[given.target], layout, parts, tools, Path(directory) / "files", known):
            told[part] = steps
            count += len(steps)
            print(f"{part}: {len(steps)} steps, {time.monotonic() - began:.0f} s", flush=True)
            for step in steps if given.show else ():
                print(f"\n$ {step.line}  [{step.status}]", *step.out, *(f"! {line}" for line in step.err), sep="\n  ")
            for one, other in differences(known[part], steps) if part in known else ():
                found += 1
                print(f"\n$ {one.line}: status {one.status}, {other.status}")
                for before, after in ((one.out, other.out), (one.err, other.err)):
                    print(*list(difflib.unified_diff(before, after, "", "", n=1, lineterm=""))[2:], sep="\n")
        tools.close()
    took_s = time.monotonic() - began
    print(f"{given.target}, {layout}: {count} steps in {took_s:.0f} s, {found} differ from what real Kafka said")
    if given.record and given.target == "kafka":
        record(layout, told)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
