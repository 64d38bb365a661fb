"""Simulate logs on a disk that fails: python -m tests.sim.log [--rounds 1000] [--seed 1] [--plant NAME].

A round is one life of the node, which ends in a crash or a stop, and the check after it. A seed has up to five.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from contextlib import nullcontext

from tests.sim.log_compaction import CompactingWorld
from tests.sim.log_ledger import Violation
from tests.sim.log_plants import PLANTS
from tests.sim.log_world import World

LIVES_PER_SEED = 5
COMPACTING_EVERY = 4
"""Every so many seeds all partitions are compacted."""


class Failed(Exception):
    """A seed that does not pass."""


def run_seed(seed: int) -> Counter[str]:
    """All lives of one seed; what happened in them. Raises Failed."""
    world = CompactingWorld(seed) if seed % COMPACTING_EVERY == 0 else World(seed)
    try:
        world.run(LIVES_PER_SEED)
    except Violation as violation:
        raise Failed(f"seed {seed}, round {world.counts['rounds']}: {violation}") from None
    except Exception as error:
        raise Failed(f"seed {seed}, round {world.counts['rounds']}: {error!r}") from error
    return world.counts


def run_rounds(rounds: int, first_seed: int) -> Counter[str]:
    """As many seeds as make up `rounds`. Raises Failed."""
    counts: Counter[str] = Counter()
    seed = first_seed
    while counts["rounds"] < rounds:
        counts += run_seed(seed)
        seed += 1
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.log", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", choices=sorted(PLANTS), help="break the log on purpose: it must be found out")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    with PLANTS[options.plant]() if options.plant else nullcontext():
        try:
            counts = run_rounds(options.rounds, options.seed)
        except Failed as failed:
            print(f"FAILED: {failed}")
            print(f"again: python -m tests.sim.log --seed {str(failed).split()[1].rstrip(',')} --rounds 1")
            if failed.__cause__ is not None:
                raise
            return 1
    for what, count in sorted(counts.items()):
        print(f"{count:8}  {what}")
    print(f"no violation in {counts['rounds']} rounds from seed {options.seed}, {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
