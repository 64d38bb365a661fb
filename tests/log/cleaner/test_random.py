"""Random logs, by seed: after enough passes exactly the latest committed record of each key is left, and never less."""

from __future__ import annotations

import random
import struct
from typing import NamedTuple

import pytest

from klamm.kproto import records
from klamm.kproto.records import CONTROL, CONTROL_ABORT, CONTROL_COMMIT
from klamm.log.cleaner.batch_cleaner import LastRecord
from klamm.log.txn_index import AbortedTxn
from tests.log.cleaner.test_rules import DIR, NOW, RETENTION, Cleaner, Result, Row, batch, marker


class _Log(NamedTuple):
    segments: list[list[bytes]]
    aborted: list[AbortedTxn]
    latest: dict[str, Row]
    producers: dict[int, LastRecord]
    end_offset: int


def _written(chance: random.Random) -> _Log:
    """A log of several segments, in which up to three transactions are under way at a time."""
    segments: list[list[bytes]] = [[]]
    aborted: list[AbortedTxn] = []
    latest: dict[str, Row] = {}
    producers: dict[int, LastRecord] = {}
    open_txns: dict[int, tuple[int, list[Row]]] = {}
    offset = sequence = 0
    for _ in range(chance.randrange(5, 60)):
        if chance.random() < 0.2 and segments[-1]:
            segments.append([])
        pid = chance.choice((-1, 1, 2, 3))
        if pid in open_txns and chance.random() < 0.4:
            is_abort = chance.random() < 0.5
            segments[-1].append(marker(offset, CONTROL_ABORT if is_abort else CONTROL_COMMIT, pid))
            first, rows = open_txns.pop(pid)
            if is_abort:
                aborted.append(AbortedTxn(pid, first, offset, offset + 1))
            else:
                for row in rows:
                    _take(latest, row)
            offset += 1
            continue
        rows = []
        for n in range(chance.randrange(1, 9)):
            key = None if chance.random() < 0.05 else f"k{chance.randrange(12)}" * chance.choice((1, 1, 30))
            rows.append((offset + n, key, None if chance.random() < 0.2 else "v" * chance.randrange(200)))
        fields: dict[str, object] = {"compression": chance.choice((0, 0, 1, 2, 3, 4))}
        if pid >= 0:
            fields |= {"producer_id": pid, "producer_epoch": 0, "base_sequence": sequence, "transactional": True}
            open_txns.setdefault(pid, (offset, []))[1].extend(rows)
            producers[pid] = LastRecord(rows[-1][0], 0)
            sequence += len(rows)
        else:
            for row in rows:
                _take(latest, row)
        segments[-1].append(batch(*rows, **fields))
        offset += len(rows)
    for pid, (_, rows) in open_txns.items():
        segments[-1].append(marker(offset, CONTROL_COMMIT, pid))
        offset += 1
        for row in rows:
            _take(latest, row)
    segments[-1].append(batch((offset, "end", "1"), (offset + 1, "end", "2")))
    latest["end"] = (offset + 1, "end", "2")
    return _Log(segments, aborted, latest, producers, offset + 2)


def _take(latest: dict[str, Row], row: Row) -> None:
    if row[1] is not None and (row[1] not in latest or latest[row[1]][0] < row[0]):
        latest[row[1]] = row


def _still_aborted(cleaner: Cleaner, result: Result, before: list[AbortedTxn]) -> list[AbortedTxn]:
    """What the transaction indexes say now: those of the cleaned segments, and of those that were not cleaned."""
    found = []
    for group in result.groups:
        if ".txnindex" in group.suffixes:
            path = f"{DIR}/{group.base_offset:020d}.txnindex.cleaned"
            found += [AbortedTxn(*entry[1:]) for entry in struct.Struct(">hqqqq").iter_unpack(cleaner.disk.read(path))]
            cleaner.disk.remove(path)
    behind = [s.base_offset for s in cleaner.segments if s.base_offset >= result.end_offset]
    return found + [txn for txn in before if behind and txn.last_offset >= behind[0]]


@pytest.mark.parametrize("seed", range(60))
def test_what_is_left_of_a_random_log(seed: int) -> None:
    chance = random.Random(seed)
    log = _written(chance)
    cleaner = Cleaner(*log.segments)
    buffer_bytes = chance.choice((24 * 4, 24 * 9, 1 << 12, 1 << 20))
    first_dirty, now, passes, whole_passes, aborted = 0, NOW, 0, 0, log.aborted
    while whole_passes < 3:
        whole_passes += first_dirty == log.end_offset
        result = cleaner.clean(
            now,
            aborted=aborted,
            producers=log.producers,
            first_dirty_offset=first_dirty if first_dirty < log.end_offset else 0,
            upper_bound_offset=log.end_offset,
            buffer_bytes=buffer_bytes if first_dirty < log.end_offset else 1 << 20,
            segment_bytes=chance.choice((1, 500, 1 << 20)),
        )
        passes += 1
        assert passes < 200
        assert result.end_offset > first_dirty or first_dirty == log.end_offset
        first_dirty = max(first_dirty, result.end_offset)
        aborted = _still_aborted(cleaner, result, aborted)
        result = result._replace(batches=cleaner.batches())
        left = set(result.rows)
        assert {row for row in log.latest.values() if row[2] is not None} <= left, "something that matters is gone"
        if now == NOW:
            assert set(log.latest.values()) <= left, "a tombstone has gone before its time"
        if first_dirty == log.end_offset:
            now += RETENTION
    assert left == {row for row in log.latest.values() if row[2] is not None}
    assert result.rows == sorted(result.rows), "in order"
    # Every producer's last sequence number is still there.
    last = {b.producer_id: b.last_offset for b in result.batches if not b.attributes & CONTROL}
    assert {pid: last[pid] for pid in log.producers} == {pid: at.last_data_offset for pid, at in log.producers.items()}
    assert result.batches[-1].next_offset == log.end_offset
    assert not any(records.codecs.NAMES[b.compression] == "none" and b.count == 0 and b.size_bytes != 61
                   for b in result.batches)  # fmt: skip
