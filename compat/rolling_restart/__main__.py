"""`python -m compat.rolling_restart --target klamm|kafka --times 2`: a table of the restarts, totals as JSON.

Exit status 1 when an application was told of an error, a promise was broken or something took too long.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys

from compat.cluster_kill.__main__ import cluster_of
from compat.rolling_restart.loop import RollingRestart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("--times", type=int, default=1, help="how often each node is restarted")
    parser.add_argument("--rate", type=int, default=2000, help="records a second, a quarter of them by kafka-python")
    parser.add_argument("--controllers", type=int, default=0, help="controllers of their own; they stay")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the nodes end with us
    cluster = cluster_of(options.target, options.controllers)
    try:
        cluster.start()
        rolling = RollingRestart(cluster, rate=options.rate)
        rolling.run(options.times)
    except BaseException:
        cluster.kill()
        print(f"the nodes' files are in {cluster.directory}", file=sys.stderr)
        raise
    totals = {"target": options.target} | rolling.totals()
    for violation in totals["violations"]:
        print(f"VIOLATION {violation}")
    print(json.dumps({name: value for name, value in totals.items() if name != "restarts"}))
    if totals["violations"] or totals["late"]:
        print(f"the nodes' files are in {cluster.directory}", file=sys.stderr)
        return 1
    cluster.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
