"""`python -m compat.disk_errors [SCENARIO ...]`: klamm and real Kafka through the same disk trouble, side by side.

`--record` writes what Kafka was seen to do to `kafka.json`, which the tests compare klamm with. Exit status 1 when
something acknowledged was lost or changed, or when the two differ otherwise than `known.py` says.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from compat.disk_errors.known import RECORDED, differences
from compat.disk_errors.scenarios import SCENARIOS, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(s.name for s in SCENARIOS))
    parser.add_argument("--target", choices=("klamm", "kafka", "both"), default="both")
    parser.add_argument("--record", action="store_true", help="keep what Kafka does as what is expected")
    parser.add_argument("--keep", action="store_true", help="leave the brokers' directories")
    options = parser.parse_args()
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    failed = 0
    for scenario in SCENARIOS:
        if options.scenarios and scenario.name not in options.scenarios:
            continue
        if scenario.second_size_mib and os.geteuid() != 0:
            print(f"{scenario.name}: skipped, mounting takes root")
            continue
        seen = {}
        for kind in ("klamm", "kafka") if options.target == "both" else (options.target,):
            began = time.monotonic()
            seen[kind] = run(scenario, kind, keep=options.keep).as_json()
            took_s = time.monotonic() - began
            print(f"{scenario.name:16} {kind:6} {took_s:5.1f} s  {json.dumps(seen[kind])}", flush=True)
        if "kafka" in seen and options.record:
            recorded[scenario.name] = seen["kafka"]
            RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
        if "klamm" in seen:
            expected = seen.get("kafka", recorded.get(scenario.name))
            for line in differences(scenario.name, seen["klamm"], expected):
                failed += 1
                print(f"DIFFERENCE {scenario.name}: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
