"""How the replicas of a partition move: what a new assignment adds and removes, when it is done, how it is undone.

Pure functions of broker ids. While a reassignment runs the partition has the new replicas and the old ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.metadata.image.partition import PartitionRegistration


class Reassignment(NamedTuple):
    """All replicas while it runs, the new ones in the order that was asked for; those that go and those that come."""

    replicas: tuple[int, ...]
    removing: tuple[int, ...]
    adding: tuple[int, ...]


class Reverted(NamedTuple):
    """The partition as it was before. `is_unclean`: no member of the ISR stays, so the first replica has to do."""

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    is_unclean: bool


def reassign(current: Sequence[int], target: Sequence[int]) -> Reassignment:
    """From `current` (all replicas there are now, those of an unfinished reassignment too) to `target`."""
    removing = tuple(sorted(set(current) - set(target)))
    return Reassignment((*target, *removing), removing, tuple(sorted(set(target) - set(current))))


def completed(
    replicas: tuple[int, ...], removing: tuple[int, ...], adding: tuple[int, ...], isr: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Replicas and ISR after a reassignment that `isr` completes; None while it must go on, or when there is none.

    Every new replica has to be in sync. One that makes the partition smaller needs all that are left in sync.
    """
    if not removing and not adding:
        return None
    left = tuple(broker for broker in replicas if broker not in removing)
    in_sync = tuple(broker for broker in isr if broker not in removing)
    if removing and (not left or not in_sync):
        return None
    if not set(adding) <= set(in_sync) or (len(adding) < len(removing) and not set(left) <= set(in_sync)):
        return None
    return left, in_sync


def revert(partition: PartitionRegistration) -> Reverted:
    """Undo the reassignment under way. Raises KafkaError INVALID_REPLICA_ASSIGNMENT when nothing was there before."""
    replicas = tuple(broker for broker in partition.replicas if broker not in partition.adding_replicas)
    isr = tuple(broker for broker in partition.isr if broker not in partition.adding_replicas)
    if isr:
        return Reverted(replicas, isr, is_unclean=False)
    if not replicas:
        message = "Invalid replica assignment: addingReplicas contains all replicas."
        raise KafkaError(errors.INVALID_REPLICA_ASSIGNMENT, message)
    return Reverted(replicas, replicas[:1], is_unclean=True)


def replication_factor(partition: PartitionRegistration) -> int:
    """Without the replicas that are going."""
    return len(set(partition.replicas) - set(partition.removing_replicas))


def is_reassigning(partition: PartitionRegistration) -> bool:
    return bool(partition.removing_replicas or partition.adding_replicas)
