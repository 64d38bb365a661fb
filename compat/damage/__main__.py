"""`python -m compat.damage --copies 500 --seed 1`: damaged logs on both sides, as a table. Needs Java 17 and Maven.

The exit status is 1 if a difference has no reason.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from compat.damage import node_files
from compat.damage.reasons import judge_node
from compat.damage.run import VERDICTS, Verdict, judge_copies, table, unexplained_of


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m compat.damage", description=__doc__)
    parser.add_argument("--copies", type=int, default=500, help="damaged partition directories (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="these copies of the seed, nothing else")
    parser.add_argument("--node-cases", type=int, help="how many damages of a node's files, by the seed (default: all)")
    parser.add_argument("--no-brokers", action="store_true", help="only open the logs, serve them by no broker")
    parser.add_argument("--json", type=Path, help="write the result as JSON, too")
    options = parser.parse_args(arguments)
    logging.getLogger("klamm").setLevel(logging.CRITICAL)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="compat-damage-") as directory:
        place = Path(directory)
        numbers = options.only or range(options.copies)
        verdicts = judge_copies(place, numbers, options.seed, is_served=not options.no_brokers)
        nodes = {}
        if not options.only:
            nodes = node_files.run_cases(node_files.choose(options.seed, options.node_cases), place)
    node_verdicts = {name: judge_node(name, *outcomes) for name, outcomes in nodes.items()}
    _print_table(verdicts)
    for name, (kind, text) in sorted(node_verdicts.items()):
        print(f"{kind:13} {name}: {text}")
    for text in unexplained_of(verdicts):
        print(text)
    totals = Counter(verdict.kind for verdict in verdicts)
    node_totals = Counter(kind for kind, _ in node_verdicts.values())
    took_s = time.monotonic() - began
    print(f"seed {options.seed}: {len(verdicts)} copies: {_counts(totals)}; "
          f"{len(nodes)} damages of a node's files: {_counts(node_totals)}; {took_s:.0f} s")  # fmt: skip
    if options.json:
        rows = [{"file": kind.file, "damage": kind.damage, **counts} for kind, counts in table(verdicts)]
        reasons = Counter(name for verdict in verdicts for name in verdict.reasons)
        told = {
            "seed": options.seed, "copies": len(verdicts), "totals": dict(totals), "kinds": rows,
            "reasons": dict(reasons), "node": node_verdicts, "took_s": round(took_s, 1),
            "unexplained": unexplained_of(verdicts),
        }  # fmt: skip
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 1 if totals["unexplained"] or node_totals["unexplained"] else 0


def _counts(totals: Counter[str]) -> str:
    return ", ".join(f"{totals[name]} {name}" for name in VERDICTS)


def _print_table(verdicts: Sequence[Verdict]) -> None:
    print(f"{'file':10} {'damage':24}" + "".join(f"{name:>14}" for name in VERDICTS))
    for kind, counts in table(verdicts):
        print(f"{kind.file:10} {kind.damage:24}" + "".join(f"{counts[name] or '.':>14}" for name in VERDICTS))
    for name, count in Counter(name for verdict in verdicts for name in verdict.reasons).most_common():
        print(f"{count:5} copies: {name}")


if __name__ == "__main__":
    sys.exit(main())
