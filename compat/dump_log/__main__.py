"""`python -m compat.dump_log [--damaged N] [--seed N] [--keep DIR]`: the full comparison, on directories made anew."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from compat.dump_log.damaging import damaged_copy
from compat.dump_log.maker import SETTINGS, Maker
from compat.dump_log.run import Report, compare_directory
from compat.java.tools import Tools
from compat.targets import KafkaTarget, KlammTarget


def make_directories(tools: Tools, place: Path, seed: int, size: int = 1, is_short: bool = False) -> dict[str, Path]:
    """Data directories of both brokers, killed and stopped cleanly, by name."""
    found: dict[str, Path] = {}
    for broker in (KafkaTarget(SETTINGS, directory=place / "kafka"), KlammTarget(directory=place / "klamm")):
        try:
            killed, stopped = Maker(broker, tools, seed, size).make(is_short)
        finally:
            broker.kill()
        found |= {f"{broker.name}, killed": killed, f"{broker.name}, stopped": stopped}
    return found


def compare_damaged(tools: Tools, directory: Path, seeds: range, report: Report) -> list[str]:
    """Compare damaged copies; gives what was done to those that differ."""
    differing = []
    for seed in seeds:
        copied = Path(tempfile.mkdtemp(prefix="dump-log-damaged-"))
        try:
            before = len(report.differences)
            what = damaged_copy(directory, copied, seed)
            compare_directory(tools, copied, report, is_damaged=True)
            if len(report.differences) > before:
                differing.append(what)
        finally:
            shutil.rmtree(copied)
    return differing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat.dump_log", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the data and of the damage (default: 1)")
    parser.add_argument(
        "--size", type=int, default=1, help="how much data (default: 1, some 3,000 records a directory)"
    )
    parser.add_argument("--damaged", type=int, default=200, help="number of damaged copies (default: 200)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the directories here and leave them")
    args = parser.parse_args()
    place = args.keep or Path(tempfile.mkdtemp(prefix="dump-log-"))
    place.mkdir(parents=True, exist_ok=True)
    tools = Tools(place)
    count = 0
    try:
        directories = make_directories(tools, place, args.seed, args.size)
        for name, directory in directories.items():
            report, began = Report(), time.monotonic()
            compare_directory(tools, directory, report)
            print(f"{name} ({time.monotonic() - began:.1f} s): {report}", flush=True)
            count += len(report.differences) + report.invalid
        for name in ("kafka, stopped", "klamm, stopped"):
            report, began = Report(), time.monotonic()
            seeds = range(args.seed * 1000, args.seed * 1000 + args.damaged // 2)
            differing = compare_damaged(tools, directories[name], seeds, report)
            print(f"{len(seeds)} damaged copies of {name} ({time.monotonic() - began:.1f} s): {report}", flush=True)
            for line in differing:
                print(f"  {line}")
            count += len(report.differences)
    finally:
        tools.close()
        if args.keep is None:
            shutil.rmtree(place, ignore_errors=True)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
