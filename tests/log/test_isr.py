"""The leader's rules: who is in sync, how far the high watermark goes, what the controller's answers change."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.log.isr import Follower, IsrChange, Replication

LAG_MS = 30_000
END = 100


def everybody(_: int, __: int | None) -> bool:
    return True


def nobody(_: int, __: int | None) -> bool:
    return False


def leader(*isr: int, replicas: tuple[int, ...] = (1, 2, 3), end: int = END) -> Replication:
    """Broker 1 at time 0 of its first epoch."""
    replication = Replication(1, LAG_MS)
    assert replication.lead(replicas, isr or replicas, 5, 7, end, 0)
    return replication


def fetch(replication: Replication, replica_id: int, offset: int, *, end: int = END, now: float = 0) -> None:
    replication.followers[replica_id].fetched(offset, 0, end, now, 40 + replica_id)


@pytest.mark.parametrize(
    ("fetches", "caught_up"),
    [
        ([(10, 10, 5.0)], 5.0),  # at the end
        ([(8, 10, 5.0)], None),  # behind it
        ([(8, 10, 5.0), (10, 20, 9.0)], 5.0),  # what was the end at the fetch before
        ([(8, 10, 5.0), (9, 20, 9.0)], None),
        ([(10, 10, 5.0), (10, 20, 9.0)], 5.0),  # stands still: at the end as it was then
        ([(10, 10, 5.0), (10, 20, 9.0), (10, 30, 12.0)], 5.0),
    ],
)
def test_when_a_follower_was_caught_up(fetches: list[tuple[int, int, float]], caught_up: float | None) -> None:
    follower = Follower(2)
    for offset, leader_end, now_ms in fetches:
        follower.fetched(offset, 0, leader_end, now_ms, 1)
    assert follower.last_caught_up_ms == (float("-inf") if caught_up is None else caught_up)


@pytest.mark.parametrize(
    ("isr", "offsets", "now", "eligible", "expected"),
    [
        ((1, 2, 3), (100, 100), 0, True, 100),
        ((1, 2, 3), (100, 90), 0, True, 90),
        ((1, 2), (100, 90), LAG_MS + 1, True, 100),  # 3 is out and was never caught up
        ((1,), (-1, -1), 0, True, 100),
        ((1, 2, 3), (-1, 100), 0, True, -1),  # nobody knows yet what 2 has
    ],
)
def test_high_watermark(
    isr: tuple[int, ...], offsets: tuple[int, int], now: float, eligible: bool, expected: int
) -> None:
    replication = leader(*isr)
    for replica_id, offset in zip((2, 3), offsets, strict=True):
        if offset >= 0:
            fetch(replication, replica_id, offset)
    assert replication.high_watermark(END, now, everybody if eligible else nobody) == expected


def test_the_high_watermark_waits_for_a_follower_that_is_about_to_come_in() -> None:
    replication = leader(1, 2)
    fetch(replication, 2, 110, end=110)
    fetch(replication, 3, 100, end=100)
    assert replication.high_watermark(110, LAG_MS, everybody) == 100
    assert replication.high_watermark(110, LAG_MS, nobody) == 110  # fenced, shutting down, or another incarnation
    assert replication.high_watermark(110, LAG_MS + 1, everybody) == 110  # too long ago


def test_below_the_minimal_isr_nothing_is_committed() -> None:
    replication = leader(1)
    replication.min_isr = 2
    assert replication.high_watermark(END, 0, nobody) is None
    assert not replication.has_enough_for_acks
    replication.min_isr = 1
    assert replication.high_watermark(END, 0, nobody) == END


def test_who_is_to_come_in_counts_before_the_controller_has_said_so() -> None:
    replication = leader(1, 2)
    fetch(replication, 2, 110, end=110)
    fetch(replication, 3, 100, end=110)
    change = replication.expansion(3, 100, 41, everybody)
    assert change == IsrChange(((1, 41), (2, 42), (3, 43)), 5, 7)
    assert (replication.isr, replication.maximal_isr) == ((1, 2), (1, 2, 3))
    assert replication.high_watermark(110, LAG_MS + 1, nobody) == 100
    assert replication.expansion(3, 100, 41, everybody) is None  # one at a time


@pytest.mark.parametrize(
    ("offset", "high_watermark", "eligible", "may"),
    [(100, 100, True, True), (99, 100, True, False), (99, 90, True, False), (100, 100, False, False)],
)
def test_who_may_come_in(offset: int, high_watermark: int, eligible: bool, may: bool) -> None:
    replication = leader(1, 2)  # the epoch began at 100: what is below must be there, committed or not
    fetch(replication, 3, offset, end=120)
    assert (replication.expansion(3, high_watermark, 41, everybody if eligible else nobody) is not None) is may


def test_who_lags_goes_out_but_stays_in_the_way_until_the_controller_has_agreed() -> None:
    replication = leader()
    fetch(replication, 2, 110, end=110, now=10)
    fetch(replication, 3, 105, end=110, now=10)
    assert replication.shrink(110, LAG_MS, 41) is None
    change = replication.shrink(110, LAG_MS + 1, 41)
    assert change is not None
    assert change.isr == ((1, 41), (2, 42))
    assert replication.high_watermark(110, LAG_MS + 1, nobody) == 105
    assert replication.altered(change, 5, 8, [1, 2], 0)
    assert replication.high_watermark(110, LAG_MS + 1, nobody) == 110
    assert (replication.isr, replication.partition_epoch, replication.pending) == ((1, 2), 8, None)


def test_a_leader_alone_shrinks_nothing() -> None:
    assert leader(1).shrink(END, 10 * LAG_MS, 41) is None


@pytest.mark.parametrize(
    ("code", "again", "committed"),
    [
        (errors.OPERATION_NOT_ATTEMPTED, False, True),
        (errors.INELIGIBLE_REPLICA, False, True),
        (errors.INVALID_UPDATE_VERSION, False, False),
        (errors.FENCED_LEADER_EPOCH, False, False),
        (errors.NEW_LEADER_ELECTED, False, False),
        (errors.UNKNOWN_TOPIC_ID, False, False),
        (errors.NETWORK_EXCEPTION, True, False),
        (errors.UNKNOWN_SERVER_ERROR, True, False),
    ],
)
def test_what_a_refusal_means(code: int, again: bool, committed: bool) -> None:
    replication = leader(1, 2)
    fetch(replication, 3, 100)
    change = replication.expansion(3, 100, 41, everybody)
    assert change is not None
    assert replication.refused(change, code) is again
    assert (replication.pending is None) is committed
    assert replication.maximal_isr == ((1, 2) if committed else (1, 2, 3))


@pytest.mark.parametrize(("leader_epoch", "partition_epoch"), [(4, 8), (6, 8), (5, 6)])
def test_answers_of_other_times_do_not_count(leader_epoch: int, partition_epoch: int) -> None:
    replication = leader(1, 2)
    fetch(replication, 3, 100)
    change = replication.expansion(3, 100, 41, everybody)
    assert change is not None
    assert not replication.altered(change, leader_epoch, partition_epoch, [1, 2, 3], 0)
    assert replication.pending is not None


def test_the_metadata_ends_a_change_and_its_answer_comes_too_late() -> None:
    replication = leader(1, 2)
    fetch(replication, 3, 100)
    change = replication.expansion(3, 100, 41, everybody)
    assert change is not None
    assert replication.lead((1, 2, 3), (1,), 5, 8, END, 0)
    assert (replication.isr, replication.pending) == ((1,), None)
    assert not replication.altered(change, 5, 9, [1, 2, 3], 0)
    assert not replication.refused(change, errors.NETWORK_EXCEPTION)
    assert replication.isr == (1,)


def test_metadata_that_repeats_the_last_answer_leaves_a_change_under_way() -> None:
    replication = leader(1)
    fetch(replication, 2, 100)
    first = replication.expansion(2, 100, 41, everybody)
    assert first is not None
    assert replication.altered(first, 5, 8, [1, 2], 0)
    fetch(replication, 3, 100)
    second = replication.expansion(3, 100, 41, everybody)
    assert second is not None
    assert replication.lead((1, 2, 3), (1, 2), 5, 8, END, 0)
    assert (replication.isr, replication.maximal_isr) == ((1, 2), (1, 2, 3))
    assert replication.altered(second, 5, 9, [1, 2, 3], 0)


def test_metadata_older_than_the_controllers_answer_is_passed_over() -> None:
    replication = leader(1, 2)
    assert not replication.lead((1, 2, 3), (1,), 5, 6, END, 0)
    assert replication.isr == (1, 2)


def test_another_epoch_of_the_same_leader_keeps_what_it_knows() -> None:
    replication = leader(1, 2)
    fetch(replication, 2, 100, now=50)
    assert replication.lead((1, 2, 3), (1, 2), 6, 8, 120, LAG_MS)
    assert replication.epoch_start_offset == 120
    second = replication.followers[2]
    assert (second.log_end_offset, second.last_caught_up_ms, second.leader_end_at_fetch) == (100, LAG_MS, 120)
    assert not replication.followers[3].is_caught_up(120, LAG_MS, LAG_MS)


def test_replicas_come_and_go_within_an_epoch() -> None:
    replication = leader(1, 2)
    fetch(replication, 2, 100)
    assert replication.lead((1, 2, 4), (1, 2), 5, 8, 120, 10)
    assert list(replication.followers) == [2, 4]
    assert replication.followers[2].log_end_offset == 100
    assert replication.epoch_start_offset == END


def test_low_watermark_of_those_alive() -> None:
    replication = leader()
    assert replication.low_watermark(50, lambda _: True) == -1  # they have not told
    for replica_id, start in ((2, 30), (3, 20)):
        replication.followers[replica_id].fetched(100, start, 100, 0, 1)
    assert replication.low_watermark(50, lambda _: True) == 20
    assert replication.low_watermark(50, lambda i: i != 3) == 30
    assert replication.low_watermark(50, lambda _: False) == 50
