"""ISR, leader and eligible leader replicas after a change: a table of situations."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from klamm.metadata.controller.partition_change import Election, ElectionRules, Target, change_partition
from klamm.metadata.image.partition import RECOVERED, RECOVERING, PartitionRegistration

DIRECTORIES = (bytes(16),) * 3


def partition(**fields: Any) -> PartitionRegistration:
    given: dict[str, Any] = {"replicas": (1, 2, 3), "isr": (1, 2, 3), "leader": 1, **fields}
    start = PartitionRegistration((), DIRECTORIES, (), (), (), -1, RECOVERED, 3, 9)
    return start._replace(**given)


def changed(
    before: PartitionRegistration,
    isr: Collection[int],
    alive: Collection[int],
    *,
    elr: bool = True,
    minimum: int = 2,
    unclean: bool = False,
    unclean_shutdown: int | None = None,
) -> dict[str, Any] | None:
    """What the record sets."""
    election = Election.UNCLEAN if unclean else Election.ONLINE
    rules = ElectionRules(lambda broker: broker in alive, elr, minimum, election)
    target = Target(isr=list(isr), unclean_shutdown=unclean_shutdown)
    record = change_partition(before, b"t" * 16, 0, rules, target)
    if record is None:
        return None
    names = ("isr", "leader", "eligible_leader_replicas", "last_known_elr", "leader_recovery_state")
    told = {name: getattr(record, name) for name in names}
    return {name: value for name, value in told.items() if value not in (None, -2) and (name, value) != (names[4], -1)}


@pytest.mark.parametrize(
    ("before", "isr", "alive", "expected"),
    [
        # Nothing to do.
        (partition(), (1, 2, 3), (1, 2, 3), None),
        # A follower leaves: the leader stays, the minimum is kept, no ELR.
        (partition(), (1, 2), (1, 2), {"isr": [1, 2]}),
        # The leader leaves: the first replica that is alive and in the ISR takes over.
        (partition(), (2, 3), (2, 3), {"isr": [2, 3], "leader": 2}),
        (partition(), (2, 3), (3,), {"isr": [2, 3], "leader": 3}),
        # Below the minimum the ones that leave stay eligible.
        (partition(isr=(1, 2)), (1,), (1,), {"isr": [1], "eligible_leader_replicas": [2]}),
        # The last one leaves: nobody leads, the last leader is noted.
        (
            partition(isr=(1,), elr=(2,)),
            (),
            (),
            {"isr": [], "leader": -1, "eligible_leader_replicas": [1, 2], "last_known_elr": [1]},
        ),
        # An eligible replica comes back: a clean election.
        (
            partition(isr=(), leader=-1, elr=(1, 2), last_known_elr=(1,)),
            (),
            (2,),
            {"isr": [2], "leader": 2, "eligible_leader_replicas": [1], "last_known_elr": []},
        ),
        # Back at the minimum the ELR is cleared.
        (partition(isr=(1,), elr=(2,)), (1, 3), (1, 2, 3), {"isr": [1, 3], "eligible_leader_replicas": []}),
        # Nobody is eligible, the last known leader is alive: unclean, but better than nothing.
        (
            partition(isr=(), leader=-1, last_known_elr=(1,)),
            (),
            (1,),
            {"isr": [1], "leader": 1, "leader_recovery_state": RECOVERING, "last_known_elr": []},
        ),
        # The last known leader is not alive: no leader, no record.
        (partition(isr=(), leader=-1, last_known_elr=(1,)), (), (2,), None),
        # Still recovering from the last unclean election: said once.
        (
            partition(isr=(), leader=-1, last_known_elr=(1,), leader_recovery_state=RECOVERING),
            (),
            (1,),
            {"isr": [1], "leader": 1, "last_known_elr": []},
        ),
    ],
)
def test_with_elr(before: Any, isr: Any, alive: Any, expected: Any) -> None:
    assert changed(before, isr, alive) == expected


@pytest.mark.parametrize(
    ("before", "isr", "alive", "unclean", "expected"),
    [
        (partition(), (2, 3), (2, 3), False, {"isr": [2, 3], "leader": 2}),
        # Without ELR the last member stays in the ISR, or nobody would know whom to wait for.
        (partition(isr=(1,)), (), (2, 3), False, {"leader": -1}),
        (
            partition(isr=(1,)),
            (),
            (2, 3),
            True,
            {"isr": [2], "leader": 2, "leader_recovery_state": RECOVERING},
        ),
        (partition(isr=(1,), leader=-1), (1,), (1,), False, {"leader": 1}),
    ],
)
def test_without_elr(before: Any, isr: Any, alive: Any, unclean: bool, expected: Any) -> None:
    assert changed(before, isr, alive, elr=False, unclean=unclean) == expected


def test_unclean_shutdown_leaves_the_elr_too() -> None:
    before = partition(isr=(), leader=-1, elr=(1, 2), last_known_elr=(1,))
    assert changed(before, (), (), unclean_shutdown=1) == {"eligible_leader_replicas": [2]}
