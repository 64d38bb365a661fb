"""`python -m compat.compaction --records 100000`: what each round was given and left, and klamm's time to Kafka's.

Exit status 1 when klamm left something else than Kafka; the directories are then kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from compat.compaction.making import CODECS
from compat.compaction.rounds import Round, run, run_with_small_map


def report(done: Round) -> str:
    """A few lines on a round."""
    lines = [f"{done.name}: {len(done.differences)} differences"]
    lines += [f"  {name:<16}{old:>9} ->{new:>9}" for name, old, new in zip(done.before._fields, done.before, done.after,
                                                                             strict=True)]  # fmt: skip
    for name, side in (("Kafka", done.kafka), ("klamm", done.klamm)):
        speed = side.size_bytes / (1 << 20) / side.seconds
        lines.append(f"  {name} {side.seconds:.2f} s, {speed:.1f} MB/s, dirty parts {side.passes}")
    lines.append(f"  klamm's time / Kafka's: {done.ratio:.2f}")
    return "\n".join([*lines, *(f"  DIFFERENT {line}" for line in done.differences)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uncompressed", action="store_true", help="no codecs: whole files are compared byte by byte")
    parser.add_argument("--small-map", action="store_true", help="and once with more keys than a pass can hold")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="compat-compaction-"))
    rounds = run(
        directory,
        records=options.records,
        keys=options.keys,
        rounds=options.rounds,
        seed=options.seed,
        codecs=("none",) if options.uncompressed else CODECS,
        say=print,
    )
    if options.small_map:
        rounds.append(run_with_small_map(directory / "small-map"))
    for done in rounds:
        print(report(done))
    if options.json:
        told = [{"ratio": done.ratio} | done._asdict() for done in rounds]
        options.json.write_text(json.dumps(told, default=lambda value: value._asdict(), indent=1))
    if any(done.differences for done in rounds):
        print(f"the directories are in {directory}", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
