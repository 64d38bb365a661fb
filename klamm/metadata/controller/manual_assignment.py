"""Replicas that a user chose himself, for a new partition or for one that is to move: what the controller accepts."""

from __future__ import annotations

from collections.abc import Sequence

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.metadata.image.cluster import ClusterImage


def misassigned(message: str) -> KafkaError:
    return KafkaError(errors.INVALID_REPLICA_ASSIGNMENT, message)


def check_manual_assignment(
    cluster: ClusterImage, replicas: Sequence[int], replication_factor: int | None = None
) -> None:
    """Raises KafkaError INVALID_REPLICA_ASSIGNMENT unless they are registered brokers, each once.

    `replication_factor`: how many they have to be, as the topic's other partitions have.
    """
    if not replicas:
        raise misassigned("The manual partition assignment includes an empty replica list.")
    ordered = sorted(replicas)
    for at, broker_id in enumerate(ordered):
        if broker_id not in cluster.brokers:
            raise misassigned(
                f"The manual partition assignment includes broker {broker_id}, but no such broker is registered."
            )
        if at and ordered[at - 1] == broker_id:
            raise misassigned(f"The manual partition assignment includes the broker {broker_id} more than once.")
    if replication_factor is not None and len(replicas) != replication_factor:
        raise misassigned(
            f"The manual partition assignment includes a partition with {len(replicas)} replica(s), but this is "
            f"not consistent with previous partitions, which have {replication_factor} replica(s)."
        )
