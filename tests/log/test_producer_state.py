"""Sequence numbers, epochs and transactions of producers: tables of what is taken and what is refused."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log.producer_state import NO_TXN, CompletedTxn, ProducerState

MAX = 0x7FFFFFFF
OOO, FENCED = errors.OUT_OF_ORDER_SEQUENCE_NUMBER, errors.INVALID_PRODUCER_EPOCH
PID = 7


def state(*batches: tuple[int, int, int], transactional: bool = False) -> ProducerState:
    """The state after batches (epoch, first sequence, count) of producer 7, from offset 0."""
    producers = ProducerState()
    offset = 0
    for epoch, sequence, count in batches:
        last = (sequence + count - 1) & MAX
        producers.append(PID, epoch, last, offset, offset + count - 1, 1000 + offset, transactional)
        offset += count
    return producers


def verdict(producers: ProducerState, epoch: int, sequence: int, count: int, transactional: bool = False) -> object:
    """None if taken, the first offset of the batch if it is a duplicate, ("error", code) if refused."""
    try:
        duplicate = producers.check(PID, epoch, sequence, (sequence + count - 1) & MAX, transactional)
    except KafkaError as error:
        return "error", error.code
    return None if duplicate is None else duplicate.first_offset


FIVE = [(0, n * 2, 2) for n in range(1, 7)]  # six batches of two: sequences 2 to 13 at offsets 0 to 11


@pytest.mark.parametrize(
    ("before", "batch", "expected"),
    [
        ([], (0, 0, 1), None),
        ([], (3, 17, 2), None),  # unknown producers may begin anywhere
        ([(0, 0, 5)], (0, 5, 1), None),
        ([(0, 0, 5)], (0, 6, 1), ("error", OOO)),
        ([(0, 0, 5)], (0, 4, 1), ("error", OOO)),  # within the last batch, but not that batch
        ([(0, 0, 5)], (0, 0, 5), 0),
        ([(0, 0, 5)], (0, 0, 4), ("error", OOO)),
        (FIVE, (0, 14, 9), None),
        (FIVE, (0, 12, 2), 10),
        (FIVE, (0, 4, 2), 2),
        (FIVE, (0, 2, 2), ("error", OOO)),  # the sixth from the end is forgotten
        (FIVE, (0, 4, 4), ("error", OOO)),
        ([(0, MAX - 1, 2)], (0, 0, 1), None),
        ([(0, MAX - 1, 4)], (0, 2, 1), None),
        ([(0, MAX - 1, 4)], (0, MAX - 1, 4), 0),
        ([(0, MAX - 1, 4)], (0, 0, 1), ("error", OOO)),
        ([(4, 0, 5)], (3, 5, 1), ("error", FENCED)),
        ([(4, 0, 5)], (3, 0, 5), ("error", FENCED)),
        ([(4, 0, 5)], (5, 0, 1), None),
        ([(4, 0, 5)], (5, 5, 1), ("error", OOO)),
        ([(4, 0, 5), (5, 0, 1)], (5, 0, 1), 5),
        ([(4, 0, 5), (5, 0, 1)], (4, 0, 5), ("error", FENCED)),
    ],
)
def test_sequences(before: list[tuple[int, int, int]], batch: tuple[int, int, int], expected: object) -> None:
    assert verdict(state(*before), *batch) == expected


def test_after_a_marker_of_a_newer_epoch_sequences_begin_at_zero() -> None:
    producers = state((0, 0, 5), transactional=True)
    assert producers.append_marker(PID, 1, 0, 5, 2000, True) == CompletedTxn(PID, 0, 5, True)
    assert verdict(producers, 1, 5, 1, True) == ("error", OOO)
    assert verdict(producers, 1, 0, 1, True) is None
    assert verdict(producers, 0, 5, 1, True) == ("error", FENCED)


def test_a_marker_of_the_same_epoch_keeps_the_sequences() -> None:
    producers = state((0, 0, 5), transactional=True)
    producers.append_marker(PID, 0, 0, 5, 2000, False)
    assert verdict(producers, 0, 5, 1, True) is None
    assert verdict(producers, 0, 0, 5, True) == 0


def test_transactions_and_the_unstable_offset() -> None:
    producers = state((0, 0, 2), transactional=True)
    producers.append(8, 0, 0, 2, 2, 0, True)
    assert producers.first_unstable_offset == 0
    assert verdict(producers, 0, 2, 1, False) == ("error", errors.INVALID_TXN_STATE)
    completed = producers.append_marker(PID, 0, 0, 3, 0, True)
    assert completed is not None and producers.last_stable_offset_after(completed) == 2
    # The marker is not below the high watermark yet: readers still wait for the transaction.
    producers.on_high_watermark(3)
    assert producers.first_unstable_offset == 0
    producers.on_high_watermark(4)
    assert producers.first_unstable_offset == 2
    completed = producers.append_marker(8, 0, 0, 4, 0, False)
    assert completed is not None and producers.last_stable_offset_after(completed) == 5
    producers.on_high_watermark(5)
    assert producers.first_unstable_offset is None and not producers.has_transactions


def test_a_marker_without_a_transaction() -> None:
    producers = ProducerState()
    assert producers.append_marker(PID, 3, 5, 0, 0, True) is None
    assert producers.first_unstable_offset is None
    with pytest.raises(KafkaError) as caught:
        producers.check_marker(PID, 3, 4)
    assert caught.value.code == errors.TRANSACTION_COORDINATOR_FENCED
    with pytest.raises(KafkaError) as caught:
        producers.check_marker(PID, 2, 6)
    assert caught.value.code == FENCED
    producers.check_marker(PID, 3, 5)
    producers.check_marker(99, 0, 0)


def test_a_coordinator_has_no_sequences_but_an_epoch() -> None:
    producers = ProducerState()
    producers.append(PID, 2, -1, 0, 0, 0, True)
    producers.check_epoch(PID, 2, True)
    with pytest.raises(KafkaError) as caught:
        producers.check_epoch(PID, 1, True)
    assert caught.value.code == FENCED


def test_expiry_spares_open_transactions() -> None:
    producers = state((0, 0, 1))  # at 1000
    producers.append(8, 0, 0, 1, 1, 500, True)
    producers.remove_expired(1000 - 1)
    assert set(producers.producers) == {PID, 8}
    producers.remove_expired(1000)
    assert set(producers.producers) == {8}
    assert producers.producers[8].current_txn_first_offset != NO_TXN


def test_only_five_batches_are_kept() -> None:
    assert len(state(*FIVE).producers[PID].batches) == 5
