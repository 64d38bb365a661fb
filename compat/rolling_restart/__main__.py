"""`python -m compat.rolling_restart --target klamm|kafka --times 2`: a table of the restarts, totals as JSON.

Exit status 1 when an application was told of an error, a promise was broken or something took too long.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from compat.cluster_kill.__main__ import cluster_of
from compat.loop_command import carry_out
from compat.rolling_restart.loop import RollingRestart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("--times", type=int, default=1, help="how often each node is restarted")
    parser.add_argument("--rate", type=int, default=2000, help="records a second, a quarter of them by kafka-python")
    parser.add_argument("--controllers", type=int, default=0, help="controllers of their own; they stay")
    options = parser.parse_args()
    cluster = cluster_of(options.target, options.controllers)

    def loop() -> dict[str, Any]:
        rolling = RollingRestart(cluster, rate=options.rate)
        rolling.run(options.times)
        return {"target": options.target} | rolling.totals()

    return carry_out(cluster, loop)


if __name__ == "__main__":
    sys.exit(main())
