"""`python -m compat.power_cut [--target klamm|kafka] [--rounds 50]`: cuts of the power on XFS, a table and the totals.

Three of five rounds with a sync before every answer, the others with syncs in the background. Needs root, loop devices
and xfsprogs. Exit status 1 when a promise was broken (the broker's files are kept then), 2 when something is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from compat.power_cut.running import run_recovery_point, run_synced
from compat.power_cut.volume import missing

_OWN_MOUNTS = "KLAMM_POWER_CUT_OWN_MOUNTS"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--rate", type=int, default=2000, help="records a second of the rounds with a sync per answer")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which the cuts come")
    options = parser.parse_args()
    if lacking := missing():
        print(f"power cuts cannot be made here: {'; '.join(lacking)}", file=sys.stderr)
        return 2
    if _OWN_MOUNTS not in os.environ:
        # Who enters a namespace of his own meanwhile, as `ip netns exec` does, takes copies of all mounts along: what
        # was shut down would stay in use, and be what is mounted again.
        again = ["unshare", "--mount", sys.executable, "-m", "compat.power_cut", *sys.argv[1:]]
        os.execvpe(again[0], again, {**os.environ, _OWN_MOUNTS: "yes"})
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="power-cut-"))
    synced = -(-options.rounds * 3 // 5)
    results = {"synced": run_synced(options.target, directory / "synced", synced, seed=options.seed, rate=options.rate)}
    if options.rounds > synced:
        rest = options.rounds - synced
        results["recovery_point"] = run_recovery_point(
            options.target, directory / "background", rest, seed=options.seed
        )
    violations = [violation for result in results.values() for violation in result["violations"]]
    for violation in violations:
        print(f"VIOLATION {violation}")
    for name, result in results.items():
        print(name, json.dumps({key: value for key, value in result.items() if key != "per_round"}))
    print(f"{options.rounds} cuts of {options.target}, {len(violations)} violations, {time.monotonic() - began:.0f} s")
    if violations:
        print(f"the broker's logs are in {directory}", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
