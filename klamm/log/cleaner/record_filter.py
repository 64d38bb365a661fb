"""The records of one batch as compaction sees them: where each begins and ends, its key, whether it has a value.

These loops run once or twice for every record of a compacted log, so they make no objects: they step over varints in
the bytes of the batch. Positions are those of the given bytes. Damage raises InvalidRecord.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from klamm.kproto.records import NO_TIMESTAMP, InvalidRecord
from klamm.kproto.varint import read_varint, read_varlong, write_varint
from klamm.log.cleaner.offset_map import KEY_BYTES_MAX, long_key


def iter_keys(data: bytes, position: int, end: int, count: int) -> Iterator[tuple[int, bytes | None]]:
    """(offset delta, key as the map has it or None) of each of `count` records."""
    for _ in range(count):
        size, at = read_varint(data, position)
        position = at + size
        _, at = read_varlong(data, at + 1)
        delta, at = read_varint(data, at)
        size, at = read_varint(data, at)
        if size < 0:
            yield delta, None
        else:
            key = data[at : at + size]
            yield delta, key if size <= KEY_BYTES_MAX else long_key(key)
    _check_end(position, end)


def put_keys(data: bytes, position: int, end: int, count: int, base_offset: int, offsets: dict[bytes, int]) -> None:
    """Note the offset of every key of `count` records in `offsets`."""
    for _ in range(count):
        byte = data[position]
        if byte < 128:
            at = position + 2  # behind the attributes
            position += 1 + (byte >> 1)
        else:
            byte, at = read_varint(data, position)
            position = at + byte
            at += 1
        while data[at] > 127:
            at += 1
        byte = data[at + 1]
        if byte < 128:
            offset = base_offset + (byte >> 1)
            at += 2
        else:
            byte, at = read_varint(data, at + 1)
            offset = base_offset + byte
        byte = data[at]
        if byte < 128:
            if not byte & 1:
                at += 1
                offsets[data[at : at + (byte >> 1)]] = offset
        else:
            byte, at = read_varint(data, at)
            if byte > KEY_BYTES_MAX:
                offsets[long_key(data[at : at + byte])] = offset
            elif byte >= 0:
                offsets[data[at : at + byte]] = offset
    _check_end(position, end)


class Kept(NamedTuple):
    """What stays of a batch: where the records begin, whether one of them is a tombstone, how many had no key."""

    starts: list[int]
    has_tombstone: bool
    keyless: int


def kept_records(
    data: bytes,
    position: int,
    end: int,
    count: int,
    base_offset: int,
    lookup: Callable[[bytes, int], int],
    latest_offset: int,
    keeps_tombstones: bool,
) -> Kept:
    """Which of `count` records a pass keeps whose map answers `lookup` and knows everything up to `latest_offset`.

    Kept are those behind `latest_offset`, and the latest of each key unless it is a tombstone that may go.
    """
    starts: list[int] = []
    keep = starts.append
    has_tombstone = False
    keyless = 0
    for _ in range(count):
        start = position
        byte = data[position]
        if byte < 128:
            at = position + 2
            position += 1 + (byte >> 1)
        else:
            byte, at = read_varint(data, position)
            position = at + byte
            at += 1
        while data[at] > 127:
            at += 1
        byte = data[at + 1]
        if byte < 128:
            offset = base_offset + (byte >> 1)
            at += 2
        else:
            byte, at = read_varint(data, at + 1)
            offset = base_offset + byte
        byte = data[at]
        if byte < 128 and not byte & 1:
            at += 1
            after = at + (byte >> 1)
            latest = lookup(data[at:after], -1)
        else:
            size, at = read_varint(data, at)
            if size < 0:
                if offset > latest_offset:
                    keep(start)
                    has_tombstone = has_tombstone or data[at] == 1
                else:
                    keyless += 1
                continue
            after = at + size
            key = data[at:after]
            latest = lookup(key if size <= KEY_BYTES_MAX else long_key(key), -1)
        if offset > latest_offset:
            keep(start)
            if data[after] == 1:
                has_tombstone = True
        elif latest <= offset:
            if data[after] != 1:
                keep(start)
            elif keeps_tombstones:
                keep(start)
                has_tombstone = True
    _check_end(position, end)
    return Kept(starts, has_tombstone, keyless)


def _check_end(position: int, end: int) -> None:
    if position != end:
        raise InvalidRecord(f"the records of a batch end at {position}, the batch at {end}")


def rewritten(
    data: bytes, starts: list[int], base_timestamp: int, fixed_timestamp: int | None, delete_horizon_ms: int | None
) -> tuple[bytes, int, int]:
    """(the records at `starts` as they stand in a new batch, its base timestamp, their max timestamp).

    `base_timestamp` is that of the batch they come from; `fixed_timestamp` the log append time, None with create time.
    The new base is the delete horizon (KIP-534), without one the first record's timestamp, as in Kafka.
    """
    new_base = delete_horizon_ms
    max_timestamp = NO_TIMESTAMP
    parts: list[bytes] = []
    for start in starts:
        size, body = read_varint(data, start)
        delta, at = read_varlong(data, body + 1)
        timestamp = base_timestamp + delta if fixed_timestamp is None else fixed_timestamp
        if new_base is None:
            new_base = timestamp
        if timestamp > max_timestamp:
            max_timestamp = timestamp
        new_delta = timestamp - new_base
        if new_delta == delta:
            parts.append(data[start : body + size])
        else:
            stamp = write_varint(new_delta)
            parts += (write_varint(size - (at - body - 1) + len(stamp)), data[body : body + 1], stamp)
            parts.append(data[at : body + size])
    assert new_base is not None
    return b"".join(parts), new_base, max_timestamp
