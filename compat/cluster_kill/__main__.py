"""`python -m compat.cluster_kill --target klamm|kafka --rounds 20`: a table of the rounds, times, totals as JSON.

Exit status 1 when a promise was broken or something took too long; the nodes' directories are then kept.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from compat.cluster import ClusterTarget
from compat.cluster_kill.loaded_cluster import SETTINGS, print_times
from compat.cluster_kill.loop import KILL, PAUSE, ClusterKiller
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster


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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the nodes end with us
    beside: dict[str, Any] = json.loads(options.beside.read_text()) if options.beside else {}
    cluster = cluster_of(options.target, options.controllers)
    try:
        cluster.start()
        faults = (options.fault,) if options.fault else (KILL, PAUSE)
        killer = ClusterKiller(cluster, seed=options.seed, rate=options.rate, faults=faults)
        killer.run(options.rounds)
    except BaseException:
        cluster.kill()
        print(f"the nodes' files are in {cluster.directory}", file=sys.stderr)
        raise
    totals = {"target": options.target, "seed": options.seed} | killer.totals()
    print_times(totals["times"], beside.get("times"))
    for violation in totals["violations"]:
        print(f"VIOLATION {violation}")
    for late in totals["late"]:
        print(f"LATE {late}")
    print(json.dumps({name: value for name, value in totals.items() if name not in ("per_round", "times")}))
    if options.json:
        options.json.write_text(json.dumps(totals, indent=1))
    if totals["violations"] or totals["late"]:
        print(f"the nodes' files are in {cluster.directory}", file=sys.stderr)
        return 1
    cluster.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
