"""How a cluster of three grows with its partitions, three replicas each: creation, metadata, memory, failover.

Each side has the machine to itself, on a cluster of its own for each size.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from compat.bench import metadata
from compat.bench.cluster_side import CLUSTER_OVERRIDES, ClusterSide, fresh_cluster
from compat.bench.subject import Figures
from compat.cluster_kill.wire import active_controller, view, wait_until

PER_TOPIC = 1000
ASKS = 20
SETTLE_S, SETTLE_S_PER_PARTITION = 2.0, 0.0015
"""What a cluster has to do behind the creation, three files to sync for each partition, is over then."""
_ANSWER_TIMEOUT_S = 30.0
_GIVE_UP_S = 600.0


def scale(name: str, size: int, loadgen: Path) -> Figures:
    """All figures of one size for "klamm" or "kafka"."""
    cluster = fresh_cluster(name, {**CLUSTER_OVERRIDES, "auto.leader.rebalance.enable": "false"})
    try:
        cluster.start()
        side = ClusterSide(cluster, loadgen)
        before_mb = side.anonymous_mb()
        created_s = _create(side, size)
        time.sleep(SETTLE_S + size * SETTLE_S_PER_PARTITION)
        asked_us = _metadata_us(side, size)
        figures = {
            "create_s": created_s,
            "metadata_us": asked_us,
            "anonymous_mb": side.anonymous_mb(),
            "grown_mb": side.anonymous_mb() - before_mb,
            **_failover(side, size),
        }
    finally:
        cluster.remove()
    return {f"cluster_{size}_{key}": value for key, value in figures.items()}


def _create(side: ClusterSide, size: int) -> float:
    """Seconds until every broker knows all partitions, led and in sync."""
    began = time.monotonic()
    topics = [(f"scale-{number}", min(PER_TOPIC, size)) for number in range(max(1, size // PER_TOPIC))]
    for topic, partitions in topics:
        side.create_named(topic, partitions)
    side.await_whole(size, timeout_s=_GIVE_UP_S)
    return time.monotonic() - began


def _metadata_us(side: ClusterSide, size: int) -> float:
    """The median time of the metadata of all topics, asked of each broker in turn."""
    samples = []
    for broker in side.cluster.brokers:
        with metadata.connect(broker.bootstrap) as connection:
            samples += [metadata.ask_all(connection, metadata.VERSION, size) for _ in range(ASKS)]
    return statistics.median(samples)


def _failover(side: ClusterSide, size: int) -> Figures:
    """A broker is killed that is not the active controller: seconds until the others lead all its partitions, and,
    from its start, until all replicas are in sync again."""
    addresses = [broker.bootstrap for broker in side.cluster.brokers]
    controller = active_controller(addresses)
    node = next(broker for broker in side.cluster.brokers if broker.node_id != controller)
    others = [broker.bootstrap for broker in side.cluster.brokers if broker is not node]

    def is_led(address: str) -> bool:
        seen = view([address], None, _ANSWER_TIMEOUT_S)
        return seen is not None and len(seen.partitions) >= size and all(
            partition.leader_id not in (-1, node.node_id) for partition in seen.partitions
        )  # fmt: skip

    node.kill()
    fell = time.monotonic()
    for address in others:
        if not wait_until(lambda address=address: is_led(address), _GIVE_UP_S):  # type: ignore[misc]
            raise RuntimeError(f"{side.name}: {address} knows partitions that nobody leads")
    led_s = time.monotonic() - fell
    began = time.monotonic()
    node.start()
    side.await_whole(size, timeout_s=_GIVE_UP_S)
    return {"failover_s": led_s, "back_s": time.monotonic() - began}
