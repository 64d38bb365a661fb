"""`python -m compat.partitions --target klamm|kafka --rounds 30`: a table of the rounds, times, totals as JSON.

Needs root. Exit status 1 when a promise was broken or something took too long; the nodes' directories are then kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from compat.cluster import ClusterTarget
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster
from compat.loop_command import carry_out
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
    cluster = cluster_in(network, options.target)

    def loop() -> dict[str, Any]:
        partitioner = Partitioner(cluster, network, seed=options.seed, rate=options.rate)
        partitioner.run(options.rounds, options.cut or tuple(CUTS))
        return {"target": options.target, "seed": options.seed} | partitioner.totals()

    return carry_out(cluster, loop, beside=options.beside, json_file=options.json)


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
    if lacking := missing():
        print(f"no partitions here: {'; '.join(lacking)}", file=sys.stderr)
        return 2
    with Network(NODES) as network:
        return run(options, network)


if __name__ == "__main__":
    sys.exit(main())
