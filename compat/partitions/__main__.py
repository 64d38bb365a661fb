"""`python -m compat.partitions --target klamm|kafka --rounds 30`: a table of the rounds, times, totals as JSON.

Needs root. Exit status 1 when a promise was broken or something took too long; the nodes' directories are then kept.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from compat.cluster import ClusterTarget
from compat.cluster_kill.loaded_cluster import print_times
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster
from compat.partitions.loop import CUTS, PARTITION_SETTINGS, Partitioner
from compat.partitions.network import Network, missing

NODES = (1, 2, 3)


def cluster_in(network: Network, target: str) -> ClusterTarget:
    """Three nodes, each in its namespace, not started."""
    places = {node: network.place(node) for node in NODES}
    if target == "klamm":
        return KlammCluster(len(NODES), PARTITION_SETTINGS, places=places)
    return KafkaCluster(len(NODES), PARTITION_SETTINGS, places=places)


def run(options: argparse.Namespace, network: Network) -> int:
    beside: dict[str, Any] = json.loads(options.beside.read_text()) if options.beside else {}
    cluster = cluster_in(network, options.target)
    try:
        cluster.start()
        partitioner = Partitioner(cluster, network, seed=options.seed, rate=options.rate)
        partitioner.run(options.rounds, options.cut or tuple(CUTS))
    except BaseException:
        cluster.kill()
        print(f"the nodes' files are in {cluster.directory}", file=sys.stderr)
        raise
    totals = {"target": options.target, "seed": options.seed} | partitioner.totals()
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--rate", type=int, default=2000, help="records a second, a quarter of them by kafka-python")
    parser.add_argument("--seed", type=int, default=1, help="of the cuts, their nodes and how long they last")
    parser.add_argument("--cut", action="append", choices=list(CUTS), help="only this one; may be repeated")
    parser.add_argument("--json", type=Path, help="write the totals here too")
    parser.add_argument("--beside", type=Path, help="the JSON of another run: ratios to its times")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the nodes end with us
    if lacking := missing():
        print(f"no partitions here: {'; '.join(lacking)}", file=sys.stderr)
        return 2
    with Network(NODES) as network:
        return run(options, network)


if __name__ == "__main__":
    sys.exit(main())
