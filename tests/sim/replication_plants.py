"""Planted bugs: each takes one rule out of replication, in a test only, and the checker must find it.

A checker that has never failed proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from klamm.log import following
from klamm.log.following import Truncation
from klamm.log.isr import IsrChange, Replication
from tests.sim.replication_world import Controller, SimBroker


def _acknowledge_at_once(replication: Replication, leader_end: int, now_ms: float, is_eligible: Any) -> int:
    return leader_end


def _same_epoch(controller: Controller, leader_epoch: int) -> int:
    return leader_epoch


def _truncate_too_little(log: Any, epoch: int, end_offset: int, fetch_offset: int) -> Truncation:
    cut = _TRUNCATION(log, epoch, end_offset, fetch_offset)
    return Truncation(min(cut.offset + 1, log.log_end_offset), cut.is_complete)


_TRUNCATION = following.truncation


def _beyond(broker: SimBroker, high_watermark: int) -> int:
    return broker.log.log_end_offset


_PROPOSE = Replication._propose


def _without_who_comes_in(replication: Replication, isr: tuple[int, ...], epoch: int, added: int | None) -> IsrChange:
    change = _PROPOSE(replication, isr, epoch, added)
    replication.maximal_isr = replication.isr
    return change


def _without_who_goes_out(replication: Replication, isr: tuple[int, ...], epoch: int, added: int | None) -> IsrChange:
    change = _PROPOSE(replication, isr, epoch, added)
    replication.maximal_isr = isr
    return change


_EXPANSION = Replication.expansion


def _too_early(
    replication: Replication, replica_id: int, high_watermark: int, epoch: int, is_eligible: Any
) -> IsrChange | None:
    follower = replication.followers[replica_id]
    told, follower.log_end_offset = follower.log_end_offset, max(high_watermark, replication.epoch_start_offset)
    try:
        return _EXPANSION(replication, replica_id, high_watermark, epoch, is_eligible)
    finally:
        follower.log_end_offset = told


_LEAD = Replication.lead


def _give_up_on_a_repetition(
    replication: Replication, replicas: Any, isr: Any, leader_epoch: int, partition_epoch: int, *rest: Any
) -> bool:
    done = _LEAD(replication, replicas, isr, leader_epoch, partition_epoch, *rest)
    if done:
        replication._commit(isr)
    return done


PLANTS: dict[str, tuple[Any, str, Any]] = {
    "acknowledge before the ISR has it": (Replication, "high_watermark", _acknowledge_at_once),
    "no epoch bump": (Controller, "next_leader_epoch", _same_epoch),
    "truncate too little": (following, "truncation", _truncate_too_little),
    "commit beyond the high watermark": (SimBroker, "bounded", _beyond),
    "who comes in does not count yet": (Replication, "_propose", _without_who_comes_in),
    "who goes out does not count any more": (Replication, "_propose", _without_who_goes_out),
    "in sync before it has what is committed": (Replication, "expansion", _too_early),
    "give up a change when the metadata repeats itself": (Replication, "lead", _give_up_on_a_repetition),
}
"""Name: what is replaced, and by what."""


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The rules without one of them."""
    owner, attribute, bug = PLANTS[name]
    with mock.patch.object(owner, attribute, bug):
        yield
