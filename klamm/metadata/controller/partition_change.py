"""What a partition becomes: replicas, ISR, leader and eligible leader replicas (KIP-966) after any kind of change.

A pure function of the partition, of what is wanted, and of who is alive. The order of the steps decides the record, so
it is Kafka's: finish a reassignment, eligible replicas, election, then what of all that is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from klamm.kproto.metadata_records import PartitionChangeRecord
from klamm.kproto.uuids import UNASSIGNED_DIR
from klamm.metadata.controller.reassignment import completed
from klamm.metadata.image.partition import NO_LEADER, NO_LEADER_CHANGE, RECOVERING, PartitionRegistration


class Election(Enum):
    """Whom an election may choose."""

    ONLINE = 1
    """The leader stays while it can; else the first live replica of the ISR (or, when that is empty, of the ELR)."""
    PREFERRED = 2
    """The same, but the first replica comes before the present leader."""
    UNCLEAN = 3
    """Rather a live replica that may lack records than no leader."""


def _unassigned(broker_id: int) -> bytes:
    return UNASSIGNED_DIR


class ElectionRules(NamedTuple):
    """What an election may use. `is_alive` tells whether a broker may lead this partition now.

    `min_insync_replicas` is never more than the replicas of the topic. `default_directory`: where a broker's new
    replica goes as far as the controller knows.
    """

    is_alive: Callable[[int], bool]
    elr_enabled: bool
    min_insync_replicas: int
    election: Election = Election.ONLINE
    default_directory: Callable[[int], bytes] = _unassigned


class Target(NamedTuple):
    """What a partition is to become; None leaves a part as it is.

    `unclean_shutdown` is a broker whose disk can no longer be trusted: it leaves the eligible leader replicas too.
    `directories`: broker id -> where its replica is from now on.
    """

    isr: Sequence[int] | None = None
    replicas: Sequence[int] | None = None
    removing: Sequence[int] | None = None
    adding: Sequence[int] | None = None
    leader_recovery_state: int | None = None
    unclean_shutdown: int | None = None
    directories: Mapping[int, bytes] = {}


class _Elected(NamedTuple):
    leader: int
    is_unclean: bool = False


def change_partition(
    partition: PartitionRegistration, topic_id: bytes, partition_id: int, rules: ElectionRules, target: Target
) -> PartitionChangeRecord | None:
    """The record that makes `target` of the partition, with the leader that follows from it; None for no change.

    A reassignment that the target's ISR completes ends in the same record.
    """
    record = PartitionChangeRecord(partition_id=partition_id, topic_id=topic_id)
    isr = tuple(partition.isr if target.isr is None else target.isr)
    replicas = tuple(partition.replicas if target.replicas is None else target.replicas)
    removing = tuple(partition.removing_replicas if target.removing is None else target.removing)
    adding = tuple(partition.adding_replicas if target.adding is None else target.adding)
    if (done := completed(replicas, removing, adding, isr)) is not None:
        replicas, isr = done
        removing = adding = ()
    elr = _target_elr(partition, isr, rules, target.unclean_shutdown)
    elected = _elect(partition, replicas, isr, elr, rules)
    if elected.leader != partition.leader:
        if elected.leader in elr:
            isr = (elected.leader,)
            elr = tuple(broker for broker in elr if broker != elected.leader)
        record.leader = elected.leader
        if elected.is_unclean:
            record.isr = [elected.leader]
            if partition.leader_recovery_state != RECOVERING:
                record.leader_recovery_state = RECOVERING
    elif replicas != partition.replicas and not set(partition.replicas) <= set(replicas):
        # Who is no replica any more must not be able to follow: a new leader epoch keeps it out.
        record.leader = partition.leader
    if record.isr is not None or not rules.elr_enabled:
        elr = ()
    if elr != partition.elr:
        record.eligible_leader_replicas = list(elr)
    # Without ELR the last ISR is kept: somebody in it has to come back.
    if record.isr is None and (isr or rules.elr_enabled) and isr != partition.isr:
        record.isr = list(isr)
    if rules.elr_enabled:
        _keep_last_known_leader(partition, record)
    _reassign(partition, record, replicas, removing, adding)
    if replicas != partition.replicas or target.directories:
        _place(partition, record, replicas, rules.default_directory, target.directories)
    if target.leader_recovery_state not in (None, partition.leader_recovery_state):
        record.leader_recovery_state = target.leader_recovery_state
    return None if _is_empty(record) else record


def _target_elr(
    partition: PartitionRegistration, isr: tuple[int, ...], rules: ElectionRules, unclean_shutdown: int | None
) -> tuple[int, ...]:
    if not rules.elr_enabled:
        return partition.elr
    if len(isr) >= rules.min_insync_replicas:
        return ()
    candidates = (*partition.elr, *(broker for broker in partition.isr if broker not in partition.elr))
    return tuple(sorted(broker for broker in candidates if broker not in isr and broker != unclean_shutdown))


def _elect(
    partition: PartitionRegistration,
    replicas: tuple[int, ...],
    isr: tuple[int, ...],
    elr: tuple[int, ...],
    rules: ElectionRules,
) -> _Elected:
    eligible = isr or elr
    present = (partition.leader,)
    order = (replicas[0], *present, *replicas[1:]) if rules.election is Election.PREFERRED else (*present, *replicas)
    for broker in order:
        if broker in eligible and rules.is_alive(broker):
            return _Elected(broker)
    if rules.elr_enabled and not eligible and len(partition.last_known_elr) == 1:
        last = partition.last_known_elr[0]
        if rules.is_alive(last):
            return _Elected(last, is_unclean=True)
    if rules.election is Election.UNCLEAN:
        for broker in replicas:
            if rules.is_alive(broker):
                return _Elected(broker, is_unclean=True)
    return _Elected(NO_LEADER)


def _keep_last_known_leader(partition: PartitionRegistration, record: PartitionChangeRecord) -> None:
    """The one replica that may lead again when every other copy is lost is noted when it stops leading."""
    if record.leader == NO_LEADER and not partition.last_known_elr:
        record.last_known_elr = [partition.leader]
    elif record.leader >= 0 and partition.last_known_elr:
        record.last_known_elr = []


def _reassign(
    partition: PartitionRegistration,
    record: PartitionChangeRecord,
    replicas: tuple[int, ...],
    removing: tuple[int, ...],
    adding: tuple[int, ...],
) -> None:
    if replicas != partition.replicas:
        record.replicas = list(replicas)
    if removing != partition.removing_replicas:
        record.removing_replicas = list(removing)
    if adding != partition.adding_replicas:
        record.adding_replicas = list(adding)


def _place(
    partition: PartitionRegistration,
    record: PartitionChangeRecord,
    replicas: tuple[int, ...],
    default_directory: Callable[[int], bytes],
    moved: Mapping[int, bytes],
) -> None:
    known = {**dict(zip(partition.replicas, partition.directories, strict=True)), **moved}
    directories = tuple(known[broker] if broker in known else default_directory(broker) for broker in replicas)
    if directories != partition.directories:
        record.directories = list(directories)


def _is_empty(record: PartitionChangeRecord) -> bool:
    return (
        record.isr is None
        and record.leader == NO_LEADER_CHANGE
        and record.replicas is None
        and record.removing_replicas is None
        and record.adding_replicas is None
        and record.eligible_leader_replicas is None
        and record.last_known_elr is None
        and record.leader_recovery_state < 0
        and record.directories is None
    )
