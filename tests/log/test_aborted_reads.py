"""The aborted transactions that a read tells, by Kafka's rule for how far it looks; producers that a start forgets."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from klamm.kproto.records import CONTROL_ABORT, CONTROL_COMMIT, Record, build_batch, control_key
from klamm.log import upkeep
from klamm.log.partition_log import PartitionLog
from klamm.log.validation import COORDINATOR

DAY_MS = 86_400_000


def write(lab: Any, log: PartitionLog, producer_id: int, sequence: int) -> None:
    """A batch of two records in a transaction of the producer."""
    fields = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": sequence, "transactional": True}
    lab.append(log, lab.batch(2, **fields))


def end(lab: Any, log: PartitionLog, producer_id: int, kind: int) -> None:
    row = Record(0, lab.clock.time_ms(), control_key(kind), struct.pack(">hi", 0, 0))
    marker = build_batch([row], producer_id=producer_id, producer_epoch=0, transactional=True, control=True)
    lab.append(log, memoryview(bytearray(marker)), origin=COORDINATOR)


def told(log: PartitionLog, offset: int, max_bytes: int) -> list[tuple[int, int]]:
    read = log.read(offset, max_bytes, max_offset=log.last_stable_offset, aborted=True)
    return [(txn.producer_id, txn.first_offset) for txn in read.aborted or ()]


def interleaved(lab: Any, log: PartitionLog) -> None:
    """Offsets 0-1 open for good (7), 2-3 aborted at 4 (8), 5-6 aborted at 7 (9), 8-9 committed at 10 (8)."""
    write(lab, log, 7, 0)
    for producer_id, sequence, kind in ((8, 0, CONTROL_ABORT), (9, 0, CONTROL_ABORT), (8, 2, CONTROL_COMMIT)):
        write(lab, log, producer_id, sequence)
        end(lab, log, producer_id, kind)


def test_without_an_index_entry_all_up_to_the_end_of_the_log_are_told(lab: Any) -> None:
    log = lab.open()
    interleaved(lab, log)
    assert log.last_stable_offset == 0
    end(lab, log, 7, CONTROL_COMMIT)
    assert log.last_stable_offset == log.log_end_offset == 12
    assert told(log, 0, 1) == [(8, 2), (9, 5)], "no entry lies behind the first batch"
    assert told(log, 5, 1) == [(9, 5)]
    assert told(log, 8, 1 << 20) == []


def test_an_undecided_transaction_hides_no_aborted_one_behind_it(lab: Any) -> None:
    log = lab.open()
    write(lab, log, 6, 0)
    end(lab, log, 6, CONTROL_COMMIT)
    interleaved(lab, log)
    assert log.last_stable_offset == 3
    assert told(log, 0, 1 << 20) == [(8, 5), (9, 8)], "as Kafka looks up to the log end, beyond what it reads"


def test_the_index_says_how_far_to_look(lab: Any) -> None:
    log = lab.open({"index.interval.bytes": 0})
    interleaved(lab, log)
    end(lab, log, 7, CONTROL_ABORT)
    assert log.active_segment.offset_index.entries()[0][0] == 3, "an entry for each batch but the first"
    assert told(log, 2, 1) == [(8, 2), (7, 0)]
    assert told(log, 0, 1) == [(8, 2), (7, 0)], "the first entry is passed over where the read ends"


@pytest.mark.parametrize("is_clean", [True, False])
def test_a_start_forgets_the_producers_of_old_snapshots(lab: Any, is_clean: bool) -> None:
    log = lab.open()
    now_ms = lab.clock.time_ms()
    for producer_id, age_ms in ((1, DAY_MS), (2, DAY_MS - 5000)):
        fields = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": 0}
        lab.append(log, lab.batch(timestamp=now_ms - age_ms, **fields))
    fields = {"producer_id": 3, "producer_epoch": 0, "base_sequence": 0, "transactional": True}
    lab.append(log, lab.batch(timestamp=now_ms - 2 * DAY_MS, **fields))
    upkeep.roll(log)
    lab.append(log, lab.batch(timestamp=now_ms - 2 * DAY_MS, producer_id=4, producer_epoch=0, base_sequence=0))
    if is_clean:
        upkeep.close(log)
    again = lab.open(is_clean=is_clean, recovery_point=3)
    assert set(again.producers.producers) == {2, 3}, "producer 3 has an open transaction"
    again.advance_high_watermark()
    assert (again.last_stable_offset, again.high_watermark) == (2, 4)
