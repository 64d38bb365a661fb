"""The replicas of a partition hold the same bytes: compared batch by batch, once all nodes have stopped."""

from __future__ import annotations

from pathlib import Path

from compat.cluster import ClusterTarget
from klamm.kproto import records
from klamm.kproto.errors import ProtocolError


def batches_of(directory: Path) -> dict[int, tuple[int, int, int]]:
    """Base offset -> last offset, leader epoch and CRC of every batch of a partition. Raises ProtocolError."""
    found = {}
    for path in sorted(directory.glob("*.log")):
        for one in records.batches(path.read_bytes()):
            batch = records.validate_batch(one.view)
            found[batch.base_offset] = (batch.last_offset, batch.partition_leader_epoch, batch.crc)
    return found


def differences(cluster: ClusterTarget, topic: str) -> list[str]:
    """In words, what replicas of the topic do not have alike."""
    found = []
    places: dict[str, dict[int, Path]] = {}
    for node in cluster.brokers:
        for log_dir in node.log_dirs:
            for directory in log_dir.glob(f"{topic}-*"):
                if directory.name.removeprefix(f"{topic}-").isdecimal():
                    places.setdefault(directory.name, {})[node.node_id] = directory
    for partition, replicas in sorted(places.items()):
        held = {}
        for node_id, directory in replicas.items():
            try:
                held[node_id] = batches_of(directory)
            except ProtocolError as error:
                found.append(f"{partition} on node {node_id} cannot be read: {error}")
        if not held:
            continue
        (first, expected), *others = held.items()
        for node_id, batches in others:
            if batches == expected:
                continue
            offset = min(at for at in batches.keys() | expected if batches.get(at) != expected.get(at))
            found.append(
                f"{partition}@{offset}: node {first} has {expected.get(offset)}, node {node_id} {batches.get(offset)}"
            )
    return found
