"""Which replica a consumer is to read from: one in its own rack (KIP-392, RackAwareReplicaSelector)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.metadata.image.image import MetadataImage
    from klamm.server.partition import Partition

NOBODY_ELSE = -1


def preferred_replica(
    image: MetadataImage | None, partition: Partition, rack_id: str, fetch_offset: int, listener_name: str
) -> int:
    """The broker in `rack_id` to read from, or NOBODY_ELSE than the leader.

    It is in sync and has what is asked for; of several it is the one with the most. A leader in that rack stays.
    """
    replication = partition.replication
    if replication is None or image is None or not rack_id:
        return NOBODY_ELSE
    brokers = image.cluster.brokers
    own = brokers.get(partition.leader_id)
    if own is not None and own.rack == rack_id:
        return NOBODY_ELSE
    best, best_rank = NOBODY_ELSE, (-1, float("-inf"))
    for replica_id, follower in replication.followers.items():
        broker = brokers.get(replica_id)
        if (
            broker is not None
            and not broker.fenced
            and broker.rack == rack_id
            and listener_name in broker.listeners
            and replica_id in replication.isr
            and follower.log_start_offset <= fetch_offset <= follower.log_end_offset
            and (rank := (follower.log_end_offset, follower.last_caught_up_ms)) > best_rank
        ):
            best, best_rank = replica_id, rank
    return best
