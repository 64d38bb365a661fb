"""The comparison itself must be able to fail: a lost, repeated, changed, moved or invented record is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compat.scenario import PARTITIONS, Fetched, Ledger, Record, assert_same


def _sent() -> list[Record]:
    return [Record(i % PARTITIONS, None, b"%d" % i, (("n", None),), i) for i in range(12)]


def _acks(records: list[Record]) -> list[Fetched]:
    return [Fetched(i // PARTITIONS, record) for i, record in enumerate(records)]


def test_what_was_acknowledged_and_read_once_is_accepted() -> None:
    ledger = Ledger()
    expected = ledger.add(_sent(), _acks(_sent()))
    assert_same(expected, reversed(_acks(_sent())))
    assert ledger.end_offsets() == dict.fromkeys(range(PARTITIONS), 3)


@pytest.mark.parametrize(
    ("acks", "complaint"),
    [
        (_acks(_sent())[:-1], "offsets"),
        (_acks(_sent()) + _acks(_sent())[:1], "at one offset"),
        ([Fetched(ack.offset + 1, ack.record) for ack in _acks(_sent())], "offsets"),
        ([Fetched(2 - ack.offset, ack.record) for ack in _acks(_sent())], "order of sending"),
    ],
    ids=["missing", "twice", "gap", "swapped"],
)
def test_wrong_acknowledgements_are_found(acks: list[Fetched], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        Ledger().add(_sent(), acks)


@pytest.mark.parametrize(
    ("fetched", "complaint"),
    [
        (_acks(_sent())[1:], "not read"),
        ([*_acks(_sent()), _acks(_sent())[0]], "read twice"),
        ([*_acks(_sent()), Fetched(99, _sent()[0])], "never sent"),
        *(
            ([Fetched(0, replace(_sent()[0], **change)), *_acks(_sent())[1:]], "sent Record")
            for change in ({"key": b""}, {"value": None}, {"headers": ()}, {"timestamp_ms": 7})
        ),
    ],
    ids=["lost", "twice", "invented", "key", "value", "headers", "timestamp"],
)
def test_wrong_reads_are_found(fetched: list[Fetched], complaint: str) -> None:
    expected = Ledger().add(_sent(), _acks(_sent()))
    with pytest.raises(AssertionError, match=complaint):
        assert_same(expected, fetched)
