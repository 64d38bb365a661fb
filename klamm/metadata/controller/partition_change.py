"""What a partition becomes when brokers come and go: ISR, leader and eligible leader replicas (KIP-966).

A pure function of the partition and who is alive. The order of the steps decides the record, so it is Kafka's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from klamm.kproto.metadata_records import PartitionChangeRecord
from klamm.metadata.image.partition import NO_LEADER, NO_LEADER_CHANGE, RECOVERING, PartitionRegistration


class ElectionRules(NamedTuple):
    """What an election may use. `is_alive` tells whether a broker may lead this partition now."""

    is_alive: Callable[[int], bool]
    elr_enabled: bool
    min_insync_replicas: int
    unclean: bool = False
    """unclean.leader.election.enable: rather a replica that may lack records than no leader."""


class _Election(NamedTuple):
    leader: int
    is_unclean: bool


def change_isr(
    partition: PartitionRegistration,
    topic_id: bytes,
    partition_id: int,
    rules: ElectionRules,
    target_isr: Sequence[int],
    unclean_shutdown: int | None = None,
    directories: Sequence[bytes] | None = None,
) -> PartitionChangeRecord | None:
    """The record that gives the partition `target_isr` and the leader that follows from it; None for no change.

    `unclean_shutdown` is a broker whose disk can no longer be trusted: it leaves the eligible leader replicas too.
    `directories`: where the replicas are from now on.
    """
    record = PartitionChangeRecord(partition_id=partition_id, topic_id=topic_id)
    isr = tuple(target_isr)
    elr = _target_elr(partition, isr, rules, unclean_shutdown)
    elected = _elect(partition, isr, elr, rules)
    if elected.leader != partition.leader:
        if elected.leader in elr:
            isr = (elected.leader,)
            elr = tuple(broker for broker in elr if broker != elected.leader)
        record.leader = elected.leader
        if elected.is_unclean:
            record.isr = [elected.leader]
            if partition.leader_recovery_state != RECOVERING:
                record.leader_recovery_state = RECOVERING
    if record.isr is not None or not rules.elr_enabled:
        elr = ()
    if elr != partition.elr:
        record.eligible_leader_replicas = list(elr)
    # Without ELR the last ISR is kept: somebody in it has to come back.
    if record.isr is None and (isr or rules.elr_enabled) and isr != partition.isr:
        record.isr = list(isr)
    if rules.elr_enabled:
        _keep_last_known_leader(partition, record)
    if directories is not None and tuple(directories) != partition.directories:
        record.directories = list(directories)
    return None if _is_empty(record) else record


def _target_elr(
    partition: PartitionRegistration, isr: tuple[int, ...], rules: ElectionRules, unclean_shutdown: int | None
) -> tuple[int, ...]:
    if not rules.elr_enabled:
        return partition.elr
    if len(isr) >= min(rules.min_insync_replicas, len(partition.replicas)):
        return ()
    candidates = (*partition.elr, *(broker for broker in partition.isr if broker not in partition.elr))
    return tuple(sorted(broker for broker in candidates if broker not in isr and broker != unclean_shutdown))


def _elect(
    partition: PartitionRegistration, isr: tuple[int, ...], elr: tuple[int, ...], rules: ElectionRules
) -> _Election:
    eligible = isr or elr

    def may_lead(broker: int) -> bool:
        return broker in eligible and rules.is_alive(broker)

    if may_lead(partition.leader):
        return _Election(partition.leader, False)
    for broker in partition.replicas:
        if may_lead(broker):
            return _Election(broker, False)
    if rules.elr_enabled and not isr and not elr and len(partition.last_known_elr) == 1:
        last = partition.last_known_elr[0]
        if rules.is_alive(last):
            return _Election(last, True)
    if rules.unclean:
        for broker in partition.replicas:
            if rules.is_alive(broker):
                return _Election(broker, True)
    return _Election(NO_LEADER, False)


def _keep_last_known_leader(partition: PartitionRegistration, record: PartitionChangeRecord) -> None:
    """The one replica that may lead again when every other copy is lost is written down as the ISR empties."""
    if record.isr is not None and not record.isr and partition.last_known_elr != (partition.leader,):
        record.last_known_elr = [partition.leader]
    elif partition.last_known_elr and (
        record.leader >= 0 or (partition.leader != NO_LEADER and record.leader != NO_LEADER)
    ):
        record.last_known_elr = []


def _is_empty(record: PartitionChangeRecord) -> bool:
    return (
        record.isr is None
        and record.leader == NO_LEADER_CHANGE
        and record.eligible_leader_replicas is None
        and record.last_known_elr is None
        and record.leader_recovery_state < 0
        and record.directories is None
    )
