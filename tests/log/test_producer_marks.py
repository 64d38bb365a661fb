"""A log that is cut near its end knows its producers again, without being read from its last snapshot on."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from klamm.kproto.records import CONTROL_ABORT, CONTROL_COMMIT, Record, build_batch, control_key
from klamm.log import producer_replay, producer_state, upkeep
from klamm.log.producer_state import ProducerState
from klamm.log.validation import COORDINATOR
from tests.log.test_aborted_reads import end

PRODUCERS = 4
TRANSACTIONAL = 9


class _NoFiles:
    """No snapshot was ever written."""

    def load(self, producers: ProducerState, end: int, default: int) -> int:
        producers.clear()
        producers.map_end_offset = default
        return default


def state(producers: ProducerState) -> Any:
    rows = {
        entry.producer_id: (
            entry.producer_epoch,
            entry.coordinator_epoch,
            entry.last_timestamp,
            entry.current_txn_first_offset,
            list(entry.batches),
        )
        for entry in producers.producers.values()
    }
    return rows, producers.first_unstable_offset, producers.map_end_offset


def read_whole(log: Any) -> ProducerState:
    """The state as all that is in the log tells it."""
    producers = ProducerState()
    no_files: Any = _NoFiles()
    producer_replay.load_producers(producers, list(log.segments), no_files, 0, log.log_end_offset)
    producers.on_high_watermark(log.high_watermark)
    return producers


def write(lab: Any, log: Any, batches: int) -> None:
    """Plain producers in turn, and transactions that take some of their turns each."""
    entropy = random.Random(7)
    sequences = dict.fromkeys([*range(PRODUCERS), TRANSACTIONAL], 0)
    for number in range(batches):
        if number % 25 == 24:
            end(lab, log, TRANSACTIONAL, CONTROL_ABORT if number % 2 else CONTROL_COMMIT)
            continue
        producer_id = TRANSACTIONAL if number % 5 == 0 else entropy.randrange(PRODUCERS)
        batch = lab.batch(
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=sequences[producer_id],
            transactional=producer_id == TRANSACTIONAL,
        )
        sequences[producer_id] += 1
        lab.append(log, batch)
        lab.clock.advance(1)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer_state, "MARK_EVERY", 10)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("cuts", [[299], [290, 261, 260], [150], [3], [288, 40, 1]])
def test_as_if_all_of_it_had_been_read(lab: Any, cuts: list[int]) -> None:
    log = lab.open()
    write(lab, log, 300)
    for cut in cuts:
        upkeep.truncate_to(log, cut)
        assert log.log_end_offset == cut
        assert state(log.producers) == state(read_whole(log))
    assert lab.append(log).base_offset == cuts[-1]


@pytest.mark.usefixtures("often")
def test_only_what_is_behind_the_mark_is_read(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    take_batch = producer_replay.take_batch
    monkeypatch.setattr(producer_replay, "take_batch", lambda *one: taken.append(one) or take_batch(*one))
    log = lab.open()
    write(lab, log, 300)
    upkeep.truncate_to(log, 295)
    assert 0 < len(taken) <= 20


@pytest.mark.usefixtures("often")
def test_a_log_that_was_recovered_knows_it_too(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(lab, lab.open(), 300)
    log = lab.open(recovery_point=0)
    taken: list[Any] = []
    take_batch = producer_replay.take_batch
    monkeypatch.setattr(producer_replay, "take_batch", lambda *one: taken.append(one) or take_batch(*one))
    upkeep.truncate_to(log, 297)
    assert 0 < len(taken) <= 20
    assert state(log.producers) == state(read_whole(log))


@pytest.mark.usefixtures("often")
def test_marks_of_records_that_have_gone_are_not_used(lab: Any) -> None:
    log = lab.open()
    write(lab, log, 60)
    upkeep.truncate_fully(log, 20)
    assert log.producers.producers == {}
    for number in range(30):
        lab.append(log, lab.batch(producer_id=77, producer_epoch=0, base_sequence=number))
    upkeep.truncate_to(log, 45)
    assert list(log.producers.producers) == [77]
    assert log.producers.producers[77].last_sequence == 24


@pytest.mark.usefixtures("often")
def test_producers_that_have_expired_since_do_not_come_back(lab: Any) -> None:
    log = lab.open()
    write(lab, log, 40)
    lab.clock.advance(log.log_dir.producer_id_expiration_ms + 1000)
    for number in range(12):
        lab.append(log, lab.batch(producer_id=77, producer_epoch=0, base_sequence=number))
    upkeep.truncate_to(log, 51)
    assert 77 in log.producers.producers
    assert not log.producers.producers.keys() & set(range(PRODUCERS))


@pytest.mark.usefixtures("often")
def test_a_transaction_whose_end_is_not_replicated_still_holds_readers_back(lab: Any) -> None:
    log = lab.open()
    lab.append(log, lab.batch(producer_id=TRANSACTIONAL, producer_epoch=0, base_sequence=0, transactional=True))
    row = Record(0, lab.clock.time_ms(), control_key(CONTROL_COMMIT), struct.pack(">hi", 0, 0))
    marker = build_batch([row], producer_id=TRANSACTIONAL, producer_epoch=0, transactional=True, control=True)
    now_ms = lab.clock.time_ms()
    log.append_as_leader(memoryview(bytearray(marker)), 0, now_ms=now_ms, origin=COORDINATOR)
    for number in range(25):
        log.append_as_leader(lab.batch(producer_id=1, producer_epoch=0, base_sequence=number), 0, now_ms=now_ms)
    upkeep.truncate_to(log, 25)
    assert log.producers.first_unstable_offset == 0
    assert log.last_stable_offset == 0
    log.advance_high_watermark()
    assert log.last_stable_offset == 25
