"""One partition as the metadata log describes it: an immutable value, merged from records.

Epochs follow Kafka: every change raises the partition epoch, and naming a leader (even the same one) the leader epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from klamm.kproto.metadata_records import PartitionChangeRecord, PartitionRecord
from klamm.kproto.uuids import MIGRATING_DIR

NO_LEADER = -1
NO_LEADER_CHANGE = -2
RECOVERED = 0
RECOVERING = 1
"""Leader recovery states (KIP-704): a leader of an unclean election is recovering until it says otherwise."""


class PartitionRegistration(NamedTuple):
    """Replicas are broker ids, the preferred leader first; `directories` are log directory ids in the same order."""

    replicas: tuple[int, ...]
    directories: tuple[bytes, ...]
    isr: tuple[int, ...]
    removing_replicas: tuple[int, ...]
    adding_replicas: tuple[int, ...]
    leader: int
    leader_recovery_state: int
    leader_epoch: int
    partition_epoch: int
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()

    @property
    def has_leader(self) -> bool:
        return self.leader >= 0

    def directory(self, broker_id: int) -> bytes:
        """The directory id of that broker's replica. Raises ValueError when it has none."""
        return self.directories[self.replicas.index(broker_id)]

    def merge(self, change: PartitionChangeRecord) -> PartitionRegistration:
        """The partition after `change`."""
        replicas = self.replicas if change.replicas is None else tuple(change.replicas)
        if change.directories is not None:
            directories = tuple(change.directories)
        elif replicas is self.replicas:
            directories = self.directories
        else:
            known = dict(zip(self.replicas, self.directories, strict=True))
            directories = tuple(known.get(broker, MIGRATING_DIR) for broker in replicas)
        leader, leader_epoch = self.leader, self.leader_epoch
        if change.leader != NO_LEADER_CHANGE:
            leader, leader_epoch = change.leader, leader_epoch + 1
        recovery = self.leader_recovery_state if change.leader_recovery_state < 0 else change.leader_recovery_state
        return PartitionRegistration(
            replicas,
            directories,
            self.isr if change.isr is None else _shared(change.isr, replicas),
            self.removing_replicas if change.removing_replicas is None else tuple(change.removing_replicas),
            self.adding_replicas if change.adding_replicas is None else tuple(change.adding_replicas),
            leader,
            recovery,
            leader_epoch,
            self.partition_epoch + 1,
            self.elr if change.eligible_leader_replicas is None else tuple(change.eligible_leader_replicas),
            self.last_known_elr if change.last_known_elr is None else tuple(change.last_known_elr),
        )

    def to_record(self, topic_id: bytes, partition_id: int) -> PartitionRecord:
        """The record that creates the partition in this state; empty ELR fields are left out, as Kafka leaves them."""
        return PartitionRecord(
            partition_id=partition_id,
            topic_id=topic_id,
            replicas=list(self.replicas),
            isr=list(self.isr),
            removing_replicas=list(self.removing_replicas),
            adding_replicas=list(self.adding_replicas),
            leader=self.leader,
            leader_recovery_state=self.leader_recovery_state,
            leader_epoch=self.leader_epoch,
            partition_epoch=self.partition_epoch,
            directories=list(self.directories),
            eligible_leader_replicas=list(self.elr) or None,
            last_known_elr=list(self.last_known_elr) or None,
        )


def from_record(record: PartitionRecord) -> PartitionRegistration:
    """The partition that `record` creates. Without directories (metadata.version below 17) all are 'migrating'."""
    replicas = tuple(record.replicas)
    return PartitionRegistration(
        replicas,
        tuple(record.directories) or (MIGRATING_DIR,) * len(replicas),
        _shared(record.isr, replicas),
        tuple(record.removing_replicas),
        tuple(record.adding_replicas),
        record.leader,
        record.leader_recovery_state,
        record.leader_epoch,
        record.partition_epoch,
        tuple(record.eligible_leader_replicas or ()),
        tuple(record.last_known_elr or ()),
    )


def _shared(isr: Sequence[int], replicas: tuple[int, ...]) -> tuple[int, ...]:
    """The ISR, as the same tuple as the replicas where it is equal: that is most partitions at most times."""
    given = tuple(isr)
    return replicas if given == replicas else given
