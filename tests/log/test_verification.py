"""A transaction begins in a log only when its producer has been verified since the last marker (KIP-890)."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log.producer_state import ProducerState
from klamm.log.verification import Verification

PRODUCER = 5


@pytest.fixture
def state() -> ProducerState:
    state = ProducerState()
    state.must_verify = True
    return state


def verified(state: ProducerState, epoch: int = 0, sequence: int = 0, now_ms: int = 0) -> Verification:
    found = state.begin_verification(PRODUCER, epoch, sequence, now_ms)
    assert found is not None
    found.is_verified = True
    return found


def take(state: ProducerState, offset: int, sequence: int = 0, epoch: int = 0) -> Any:
    """Check and append a transactional batch of one record; the batch that it repeats, if it is a duplicate."""
    duplicate = state.check(PRODUCER, epoch, sequence, sequence, True)
    if duplicate is None:
        state.append(PRODUCER, epoch, sequence, offset, offset, 0, True)
    return duplicate


def code_of(work: Any) -> int:
    with pytest.raises(KafkaError) as caught:
        work()
    return caught.value.code


def test_a_first_batch_needs_a_verification_that_has_been_answered(state: ProducerState) -> None:
    assert code_of(lambda: take(state, 0)) == errors.INVALID_TXN_STATE
    asked = state.begin_verification(PRODUCER, 0, 0, 0)
    assert asked is not None and state.begin_verification(PRODUCER, 0, 0, 0) is asked
    assert code_of(lambda: take(state, 0)) == errors.INVALID_TXN_STATE
    asked.is_verified = True
    assert take(state, 0) is None
    assert state.verifications == {}
    assert state.begin_verification(PRODUCER, 0, 1, 0) is None, "the transaction is open: nothing to verify"
    assert take(state, 1, sequence=1) is None


def test_an_answer_that_comes_after_the_marker_allows_nothing(state: ProducerState) -> None:
    late = state.begin_verification(PRODUCER, 0, 0, 0)
    assert late is not None
    state.append_marker(PRODUCER, 0, 0, 0, 0, True)
    late.is_verified = True
    assert code_of(lambda: take(state, 1)) == errors.INVALID_TXN_STATE
    assert state.begin_verification(PRODUCER, 0, 0, 0) is not late


def test_the_next_transaction_is_verified_anew_but_duplicates_are_known(state: ProducerState) -> None:
    verified(state)
    take(state, 0)
    state.append_marker(PRODUCER, 0, 0, 1, 0, False)
    assert take(state, 2) is not None, "a retry of what is in the log"
    assert code_of(lambda: take(state, 2, sequence=1)) == errors.INVALID_TXN_STATE
    verified(state, sequence=1)
    assert take(state, 2, sequence=1) is None


def test_an_open_transaction_of_another_epoch_is_not_ones_own(state: ProducerState) -> None:
    verified(state)
    take(state, 0)
    assert not state.has_open_transaction(PRODUCER, 1)
    assert code_of(lambda: take(state, 1, epoch=1)) == errors.INVALID_TXN_STATE


def test_a_batch_that_overtook_an_earlier_one_is_out_of_order(state: ProducerState) -> None:
    verified(state, sequence=3)
    verified(state, sequence=0)
    assert code_of(lambda: take(state, 0, sequence=3)) == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert take(state, 0) is None


def test_a_new_epoch_forgets_the_lowest_sequence_of_the_old_one(state: ProducerState) -> None:
    verified(state, epoch=0, sequence=0)
    found = verified(state, epoch=1, sequence=4)
    assert (found.producer_epoch, found.lowest_sequence) == (1, 4)
    assert verified(state, epoch=0, sequence=0).lowest_sequence == 4


def test_coordinators_verify_too_and_old_ones_are_forgotten(state: ProducerState) -> None:
    assert code_of(lambda: state.check_epoch(PRODUCER, 0, True)) == errors.INVALID_TXN_STATE
    state.check_epoch(PRODUCER, 0, False)
    verified(state, now_ms=100)
    state.check_epoch(PRODUCER, 0, True)
    state.remove_expired(99)
    assert PRODUCER in state.verifications
    state.remove_expired(100)
    assert state.verifications == {}


def test_a_log_of_its_own_verifies_nothing() -> None:
    assert take(ProducerState(), 0) is None
