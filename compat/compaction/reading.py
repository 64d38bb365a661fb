"""What is in a partition's directory, batch by batch and file by file, and how two of them differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from klamm.kproto import records


class Batch(NamedTuple):
    """One batch as the cleaner must leave it. Compressed sizes are the codec's affair and not compared."""

    segment: str
    base_offset: int
    last_offset: int
    leader_epoch: int
    attributes: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int
    is_sound: bool
    rows: tuple[Any, ...]
    """(offset, timestamp, key, value, headers) of each record."""


def read(directory: Path) -> list[Batch]:
    """All batches of all segments."""
    found = []
    for path in sorted(directory.glob("*.log")):
        for batch in records.batches(path.read_bytes()):
            rows = tuple((r.offset, r.timestamp, r.key, r.value, r.headers) for r in records.iter_records(batch))
            is_sound = records.crc32c(batch.view[records.ATTRIBUTES_AT :]) == batch.crc
            found.append(
                Batch(path.name, batch.base_offset, batch.last_offset, batch.partition_leader_epoch, batch.attributes,
                      batch.base_timestamp, batch.max_timestamp, batch.producer_id, batch.producer_epoch,
                      batch.base_sequence, batch.count, is_sound, rows)
            )  # fmt: skip
    return found


def files(directory: Path) -> dict[str, bytes]:
    """Indexes and uncompressed segments by name: what must be equal to the last byte. Leftovers are told apart."""
    found = {}
    for path in sorted(directory.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".log":
            if any(batch.attributes & records.COMPRESSION_MASK for batch in records.batches(data)):
                continue
        elif path.suffix not in (".index", ".timeindex", ".txnindex", ".snapshot", ".cleaned", ".swap"):
            continue
        found[path.name] = data
    return found


def times(directory: Path) -> dict[str, int]:
    """When each sealed segment was last changed, in ms: a cleaned one has the age of those that it stands for."""
    logs = sorted(directory.glob("*.log"))
    return {path.name: path.stat().st_mtime_ns // 1_000_000 for path in logs[:-1]}


class Survivors(NamedTuple):
    """The totals of a directory."""

    segments: int
    batches: int
    empty_batches: int
    control_batches: int
    records: int
    tombstones: int
    keys: int
    horizons: int


def survivors(batches: list[Batch]) -> Survivors:
    rows = [row for batch in batches if not batch.attributes & records.CONTROL for row in batch.rows]
    return Survivors(
        segments=len({batch.segment for batch in batches}),
        batches=len(batches),
        empty_batches=sum(batch.record_count == 0 for batch in batches),
        control_batches=sum(batch.attributes & records.CONTROL != 0 for batch in batches),
        records=len(rows),
        tombstones=sum(row[3] is None for row in rows),
        keys=len({row[2] for row in rows}),
        horizons=sum(batch.attributes & records.DELETE_HORIZON != 0 for batch in batches),
    )


def _without_horizons(batches: list[Batch]) -> list[Batch]:
    return [b._replace(base_timestamp=0) if b.attributes & records.DELETE_HORIZON else b for b in batches]


def differences(ours: Path, theirs: Path, *, with_horizons: bool = True) -> list[str]:
    """How two directories differ, in words; none if klamm left what Kafka left.

    `with_horizons`: delete horizons are equal too, and with them whole files.
    """
    mine, real = read(ours), read(theirs)
    if not with_horizons:
        mine, real = _without_horizons(mine), _without_horizons(real)
    found = [f"{path}: a batch at {b.base_offset} with a wrong CRC" for path, side in ((ours, mine), (theirs, real))
             for b in side if not b.is_sound]  # fmt: skip
    for one, other in zip(mine, real, strict=False):
        if one != other:
            told = [
                f"{name} {a!r} and not {b!r}" for name, a, b in zip(Batch._fields, one, other, strict=True) if a != b
            ]
            found.append(f"batch at {one.base_offset} (Kafka's at {other.base_offset}): {'; '.join(told)[:600]}")
            if len(found) > 20:
                return found
    if len(mine) != len(real):
        found.append(f"{len(mine)} batches and not {len(real)}")
    if not with_horizons:
        return found
    our_times, their_times = times(ours), times(theirs)
    if our_times != their_times:
        found.append(f"modification times {our_times} and not {their_times}")
    our_files, their_files = files(ours), files(theirs)
    compressed = {batch.segment[:20] for batch in real if batch.attributes & records.COMPRESSION_MASK}
    for name in sorted(our_files.keys() | their_files.keys()):
        if name[:20] in compressed and name.endswith((".index", ".timeindex")):
            continue  # positions depend on how well each side's codec compresses
        if our_files.get(name) != their_files.get(name):
            sizes = [len(side[name]) if name in side else None for side in (our_files, their_files)]
            found.append(f"{name} has other bytes: {sizes[0]} of them and not {sizes[1]}")
    return found
