"""`python -m compat.cluster_kill --target klamm|kafka --rounds 20`: a table of the rounds, times, totals as JSON.

Exit status 1 when a promise was broken or something took too long; the nodes' directories are then kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from compat.cluster import ClusterTarget
from compat.cluster_kill.loaded_cluster import SETTINGS
from compat.cluster_kill.loop import KILL, PAUSE, ClusterKiller
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster
from compat.loop_command import carry_out


def cluster_of(target: str, controllers: int = 0) -> ClusterTarget:
    """Three brokers, not started."""
    if target == "klamm":
        return KlammCluster(3, SETTINGS, controllers=controllers)
    return KafkaCluster(3, SETTINGS, controllers=controllers)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=2000, help="records a second, a quarter of them by kafka-python")
    parser.add_argument("--seed", type=int, default=1, help="of the faults, their nodes and moments")
    parser.add_argument("--fault", choices=[KILL, PAUSE], help="only this one")
    parser.add_argument("--controllers", type=int, default=0, help="controllers of their own")
    parser.add_argument("--json", type=Path, help="write the totals here too")
    parser.add_argument("--beside", type=Path, help="the JSON of another run: ratios to its times")
    options = parser.parse_args()
    cluster = cluster_of(options.target, options.controllers)
    faults = (options.fault,) if options.fault else (KILL, PAUSE)

    def loop() -> dict[str, Any]:
        killer = ClusterKiller(cluster, seed=options.seed, rate=options.rate, faults=faults)
        killer.run(options.rounds)
        return {"target": options.target, "seed": options.seed} | killer.totals()

    return carry_out(cluster, loop, beside=options.beside, json_file=options.json)


if __name__ == "__main__":
    sys.exit(main())
