"""When a reassignment is done, and what undoing it leaves: tables."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.metadata.controller.reassignment import (
    Reassignment,
    Reverted,
    completed,
    reassign,
    replication_factor,
    revert,
)
from klamm.metadata.image.partition import RECOVERED, PartitionRegistration


def partition(replicas: Any, isr: Any, removing: Any = (), adding: Any = ()) -> PartitionRegistration:
    return PartitionRegistration(replicas, (bytes(16),) * len(replicas), isr, removing, adding, -1, RECOVERED, 0, 0)


@pytest.mark.parametrize(
    ("current", "target", "expected"),
    [
        ((1, 2, 3), (1, 2, 3), ((1, 2, 3), (), ())),
        ((1, 2, 3), (3, 1, 2), ((3, 1, 2), (), ())),
        ((1, 2, 3), (2, 3, 4), ((2, 3, 4, 1), (1,), (4,))),
        ((3, 2, 1), (5, 4), ((5, 4, 1, 2, 3), (1, 2, 3), (4, 5))),
    ],
)
def test_what_an_assignment_adds_and_removes(current: Any, target: Any, expected: Any) -> None:
    assert reassign(current, target) == Reassignment(*expected)


@pytest.mark.parametrize(
    ("replicas", "removing", "adding", "isr", "expected"),
    [
        ((1, 2), (), (), (1, 2), None),
        # Every new one has to be in sync; old ones that stay need not be.
        ((2, 3, 4, 1), (1,), (4,), (1, 2, 3), None),
        ((2, 3, 4, 1), (1,), (4,), (1, 4), ((2, 3, 4), (4,))),
        ((2, 3, 4, 1), (1,), (4,), (1, 2, 3, 4), ((2, 3, 4), (2, 3, 4))),
        ((1, 2, 3), (), (3,), (1, 2), None),
        ((1, 2, 3), (), (3,), (1, 3), ((1, 2, 3), (1, 3))),
        # Fewer replicas than before: all that are left.
        ((1, 2, 3), (3,), (), (1, 3), None),
        ((1, 2, 3), (3,), (), (2, 1, 3), ((1, 2), (2, 1))),
        ((4, 1, 2, 3), (2, 3), (4,), (4, 2, 3), None),
        ((4, 1, 2, 3), (2, 3), (4,), (4, 1), ((4, 1), (4, 1))),
        # Nobody who stays is in sync.
        ((1, 2), (2,), (), (2,), None),
    ],
)
def test_when_it_is_done(replicas: Any, removing: Any, adding: Any, isr: Any, expected: Any) -> None:
    assert completed(replicas, removing, adding, isr) == expected


def test_undone() -> None:
    assert revert(partition((3, 1, 2), (1, 3), (1, 2), (3,))) == Reverted((1, 2), (1,), False)
    assert revert(partition((3, 1, 2), (3,), (1, 2), (3,))) == Reverted((1, 2), (1,), True)
    with pytest.raises(KafkaError) as caught:
        revert(partition((3,), (3,), (), (3,)))
    assert caught.value.code == errors.INVALID_REPLICA_ASSIGNMENT


def test_the_replication_factor_is_that_after_the_move() -> None:
    assert replication_factor(partition((1, 2, 3), (1,))) == 3
    assert replication_factor(partition((3, 4, 1, 2), (1, 2), (1, 2), (3, 4))) == 2
