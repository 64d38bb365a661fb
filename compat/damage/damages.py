"""What is done to a partition's directory: cuts, flips, swaps, garbage, by a seed.

A damage takes a directory and a source of chance and says in words what it did; it gives None where the directory has
nothing to damage in that way.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from klamm.kproto.records import HEADER, HEADER_SIZE, LOG_OVERHEAD

Damage = Callable[[Path, random.Random], "str | None"]

SUFFIXES = {"index": ".index", "timeindex": ".timeindex", "txnindex": ".txnindex", "snapshot": ".snapshot"}
_GARBAGE = 64
_PREALLOCATED = 10_485_760


class Kind(NamedTuple):
    """A kind of file and a kind of damage."""

    file: str
    damage: str


DAMAGES: dict[Kind, Damage] = {}


def _files(directory: Path, kind: str) -> list[Path]:
    if kind == "epochs":
        return [directory / "leader-epoch-checkpoint"]
    if kind.endswith("log"):
        logs = sorted(directory.glob("*.log"))
        return logs[-1:] if kind == "active log" else logs[:-1]
    return sorted(directory.glob("*" + SUFFIXES[kind]))


def _spans(data: bytes) -> list[tuple[int, int]]:
    """(position, size) of the batches of a segment."""
    spans, at = [], 0
    while len(data) - at >= HEADER_SIZE:
        size = struct.unpack_from(">i", data, at + 8)[0] + LOG_OVERHEAD
        if size < HEADER_SIZE:
            break
        spans.append((at, size))
        at += size
    return spans


# -- any file --


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _cut_little(data: bytes, chance: random.Random) -> bytes:
    return data[: -chance.randint(1, min(30, len(data)))]


def _empty(data: bytes, chance: random.Random) -> bytes:
    return b""


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data.rstrip(b"\0") or data)
    bit = chance.randrange(len(changed) * 8)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed) + bytes(len(data) - len(changed))


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    used = len(data.rstrip(b"\0")) or len(data)
    garbage = chance.randbytes(chance.randint(1, 40))
    at = chance.randrange(used)
    return (data[:at] + garbage + data[at + len(garbage) :])[: len(data)]


def _zero_within(data: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(data)), chance.randint(8, 512)
    return (data[:at] + bytes(size) + data[at + size :])[: len(data)]


def _append_garbage(data: bytes, chance: random.Random) -> bytes:
    return data.rstrip(b"\0") + chance.randbytes(chance.randint(1, _GARBAGE))


def _append_zeros(data: bytes, chance: random.Random) -> bytes:
    return data + bytes(chance.choice((1, 7, 100, 5000)))


def _twice(data: bytes, chance: random.Random) -> bytes:
    return data.rstrip(b"\0") * 2


def _all_garbage(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(min(len(data), 4096))


_CHANGES = {
    "cut": _cut,
    "cut a little": _cut_little,
    "emptied": _empty,
    "bit flipped": _flip,
    "overwritten": _overwrite,
    "zeros within": _zero_within,
    "garbage appended": _append_garbage,
    "zeros appended": _append_zeros,
    "doubled": _twice,
    "garbage": _all_garbage,
}
_FILES = ("active log", "inner log", "index", "timeindex", "txnindex", "snapshot", "epochs")


def _changing(kind: str, change: Callable[[bytes, random.Random], bytes]) -> Damage:
    def damage(directory: Path, chance: random.Random) -> str | None:
        files = [path for path in _files(directory, kind) if path.stat().st_size]
        if not files:
            return None
        path = chance.choice(files)
        path.write_bytes(change(path.read_bytes(), chance))
        return path.name

    return damage


def _deleting(kind: str) -> Damage:
    def damage(directory: Path, chance: random.Random) -> str | None:
        files = _files(directory, kind)
        if not files:
            return None
        path = chance.choice(files)
        path.unlink()
        return path.name

    return damage


def _swapping(kind: str) -> Damage:
    def damage(directory: Path, chance: random.Random) -> str | None:
        files = sorted(directory.glob("*.log")) if kind.endswith("log") else _files(directory, kind)
        if len(files) < 2:
            return None
        one, other = chance.sample(files, 2)
        data = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return f"{one.name} and {other.name}"

    return damage


def _copying(kind: str) -> Damage:
    """One file becomes a copy of a later one."""

    def damage(directory: Path, chance: random.Random) -> str | None:
        files = sorted(directory.glob("*.log")) if kind.endswith("log") else _files(directory, kind)
        if len(files) < 2:
            return None
        one, other = sorted(chance.sample(files, 2))
        one.write_bytes(other.read_bytes())
        return f"{one.name} is {other.name}"

    return damage


for _kind in _FILES:
    for _name, _change in _CHANGES.items():
        DAMAGES[Kind(_kind, _name)] = _changing(_kind, _change)
    DAMAGES[Kind(_kind, "deleted")] = _deleting(_kind)
    if _kind not in ("epochs", "active log"):
        DAMAGES[Kind(_kind, "swapped")] = _swapping(_kind)
        DAMAGES[Kind(_kind, "replaced")] = _copying(_kind)


# -- fields of a batch --


def _field(kind: str, name: str, at: int, form: str, change: Callable[[int, random.Random], int]) -> None:
    def damage(directory: Path, chance: random.Random) -> str | None:
        path = chance.choice(_files(directory, kind))
        data = bytearray(path.read_bytes())
        spans = _spans(bytes(data))
        if not spans:
            return None
        position, _ = chance.choice(spans)
        old = struct.unpack_from(form, data, position + at)[0]
        new = change(old, chance)
        struct.pack_into(form, data, position + at, new)
        path.write_bytes(bytes(data))
        return f"{path.name} at {position}: {old} to {new}"

    DAMAGES[Kind(kind, name)] = damage


for _kind in ("active log", "inner log"):
    _field(_kind, "base offset, low bit", 0, ">q", lambda old, chance: old ^ 1 << chance.randrange(5))
    _field(_kind, "base offset, high bit", 0, ">q", lambda old, chance: old ^ 1 << chance.randrange(32, 62))
    _field(_kind, "length", 8, ">i", lambda old, chance: chance.choice((-1, 0, 13, 40, old - 1, old + 1, old * 3)))
    _field(_kind, "hostile length", 8, ">i", lambda old, chance: chance.choice((0x7FFFFFFF, 0x7FFFFFF3, -(1 << 31))))
    _field(_kind, "leader epoch", 12, ">i", lambda old, chance: chance.choice((-1, old + 1, old ^ 1 << 20)))
    _field(_kind, "magic", 16, ">b", lambda old, chance: chance.choice((0, 1, 3, -126, 127)))
    _field(_kind, "CRC", 17, ">I", lambda old, chance: old ^ 1 << chance.randrange(32))


def _batch_again(directory: Path, chance: random.Random) -> str | None:
    path = _files(directory, "active log")[0]
    data = path.read_bytes()
    position, size = chance.choice(_spans(data))
    path.write_bytes(data + data[position : position + size])
    return f"{path.name}: the batch at {position} again at the end"


def _batch_lost(directory: Path, chance: random.Random) -> str | None:
    path = chance.choice(sorted(directory.glob("*.log")))
    data = path.read_bytes()
    spans = _spans(data)
    if len(spans) < 2:
        return None
    position, size = chance.choice(spans)
    path.write_bytes(data[:position] + data[position + size :])
    return f"{path.name}: without the batch at {position}"


def _batches_exchanged(directory: Path, chance: random.Random) -> str | None:
    path = chance.choice(sorted(directory.glob("*.log")))
    data = path.read_bytes()
    spans = _spans(data)
    if len(spans) < 2:
        return None
    place = chance.randrange(len(spans) - 1)
    (first, size), (second, other) = spans[place], spans[place + 1]
    path.write_bytes(data[:first] + data[second : second + other] + data[first : first + size] + data[second + other :])
    return f"{path.name}: the batches at {first} and {second} exchanged"


def _torn_batch(directory: Path, chance: random.Random) -> str | None:
    path = _files(directory, "active log")[0]
    data = path.read_bytes()
    position, size = _spans(data)[-1]
    path.write_bytes(data[: position + chance.randrange(1, size)])
    return f"{path.name}: torn in the batch at {position}"


def _half_batch_zero(directory: Path, chance: random.Random) -> str | None:
    """The size of the file has reached the disk, the last pages have not."""
    path = _files(directory, "active log")[0]
    data = path.read_bytes()
    at = chance.randrange(len(data) // 2, len(data))
    path.write_bytes(data[:at] + bytes(len(data) - at))
    return f"{path.name}: zeros from {at} on"


DAMAGES[Kind("active log", "batch again")] = _batch_again
DAMAGES[Kind("active log", "torn")] = _torn_batch
DAMAGES[Kind("active log", "zeros to the end")] = _half_batch_zero
DAMAGES[Kind("segment", "batch lost")] = _batch_lost
DAMAGES[Kind("segment", "batches exchanged")] = _batches_exchanged


# -- indexes --


def _preallocated(suffix: str) -> Damage:
    def damage(directory: Path, chance: random.Random) -> str | None:
        path = chance.choice(sorted(directory.glob("*" + suffix)))
        with open(path, "r+b") as file:
            if chance.random() < 0.5:
                file.truncate(0)
            file.truncate(_PREALLOCATED)
        return path.name

    return damage


def _shifted(directory: Path, chance: random.Random) -> str | None:
    path = chance.choice([path for path in sorted(directory.glob("*.index")) if path.stat().st_size])
    data = path.read_bytes()
    rows = [row for row in struct.iter_unpack(">ii", data[: len(data) // 8 * 8]) if row != (0, 0)]
    by = chance.choice((1, -1, 37, 61, 200, 1 << 24))
    path.write_bytes(b"".join(struct.pack(">ii", offset, max(0, position + by)) for offset, position in rows))
    return f"{path.name}: all positions {by:+}"


def _offsets_shifted(directory: Path, chance: random.Random) -> str | None:
    path = chance.choice([path for path in sorted(directory.glob("*.index")) if path.stat().st_size])
    data = path.read_bytes()
    rows = [row for row in struct.iter_unpack(">ii", data[: len(data) // 8 * 8]) if row != (0, 0)]
    by = chance.choice((1, -1, 8, -8, 60))
    path.write_bytes(b"".join(struct.pack(">ii", offset + by, position) for offset, position in rows))
    return f"{path.name}: all offsets {by:+}"


def _timestamps_shifted(directory: Path, chance: random.Random) -> str | None:
    path = chance.choice([path for path in sorted(directory.glob("*.timeindex")) if path.stat().st_size])
    data = path.read_bytes()
    rows = [row for row in struct.iter_unpack(">qi", data[: len(data) // 12 * 12]) if row != (0, 0)]
    by = chance.choice((1, -1, 700, -5000))
    path.write_bytes(b"".join(struct.pack(">qi", timestamp + by, offset) for timestamp, offset in rows))
    return f"{path.name}: all timestamps {by:+}"


DAMAGES[Kind("index", "preallocated")] = _preallocated(".index")
DAMAGES[Kind("timeindex", "preallocated")] = _preallocated(".timeindex")
DAMAGES[Kind("index", "positions shifted")] = _shifted
DAMAGES[Kind("index", "offsets shifted")] = _offsets_shifted
DAMAGES[Kind("timeindex", "timestamps shifted")] = _timestamps_shifted


# -- segments and strays --


def _segment_lost(directory: Path, chance: random.Random) -> str | None:
    logs = sorted(directory.glob("*.log"))
    stem = chance.choice(logs).stem
    for path in directory.glob(stem + ".*"):
        if path.suffix != ".snapshot" or chance.random() < 0.5:
            path.unlink()
    return stem


def _log_lost(directory: Path, chance: random.Random) -> str | None:
    path = chance.choice(sorted(directory.glob("*.log")))
    path.unlink()
    return path.name


def _empty_segment(directory: Path, chance: random.Random) -> str | None:
    logs = sorted(directory.glob("*.log"))
    last = int(logs[-1].stem)
    data = logs[-1].read_bytes()
    spans = _spans(data)
    if chance.random() < 0.5 and spans:
        header = HEADER.unpack_from(data, spans[-1][0])
        base = header[0] + header[6] + 1
    else:
        base = chance.choice((last + 1, last + 1000))
    (directory / f"{base:020d}.log").write_bytes(b"")
    return f"{base:020d}.log, empty"


def _overflow(directory: Path, chance: random.Random) -> str | None:
    """A batch at the end that is too far from the base offset for the indexes."""
    path = _files(directory, "active log")[0]
    data = path.read_bytes()
    spans = [span for span in _spans(data) if HEADER.unpack_from(data, span[0])[9] < 0]
    if not spans:
        return None
    position, size = spans[-1]
    batch = bytearray(data[position : position + size])
    struct.pack_into(">q", batch, 0, int(path.stem) + (1 << 31) + chance.randrange(100))
    path.write_bytes(data + bytes(batch))
    return f"{path.name}: a batch 2**31 beyond the base offset"


def _renamed(directory: Path, chance: random.Random) -> str | None:
    """A segment under a lower base offset, as compaction leaves none."""
    path = chance.choice(sorted(directory.glob("*.log"))[1:] or [directory / "none"])
    if not path.exists():
        return None
    base = max(0, int(path.stem) - chance.randint(1, 5))
    if (directory / f"{base:020d}.log").exists():
        return None
    for other in list(directory.glob(path.stem + ".*")):
        if other.suffix != ".snapshot":
            other.rename(directory / f"{base:020d}{other.suffix}")
    return f"{path.name} as {base}"


def _legacy(directory: Path, chance: random.Random) -> str | None:
    """Messages of versions 0 and 1 where the first segment was."""
    path = sorted(directory.glob("*.log"))[0]
    magic, base = chance.choice((0, 1)), int(path.stem)
    messages = []
    for number in range(12):
        body = struct.pack(">bb", magic, 0) + (struct.pack(">q", 1_700_000_000_000 + number) if magic else b"")
        body += struct.pack(">i", -1) + struct.pack(">i", 50) + bytes([number]) * 50
        messages.append(struct.pack(">qiI", base + number, len(body) + 4, zlib.crc32(body)) + body)
    data = b"".join(messages)
    if chance.random() < 0.3:
        data = _flip(data, chance)
    path.write_bytes(data)
    for suffix in (".index", ".timeindex", ".txnindex"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    return f"{path.name}: messages of version {magic}"


def _stray(*names: str) -> Damage:
    def damage(directory: Path, chance: random.Random) -> str | None:
        for name in names:
            (directory / name).write_bytes(chance.randbytes(chance.choice((0, 10, 100))))
        return ", ".join(names)

    return damage


DAMAGES[Kind("segment", "lost")] = _segment_lost
DAMAGES[Kind("segment", "log lost, indexes there")] = _log_lost
DAMAGES[Kind("segment", "empty one added")] = _empty_segment
DAMAGES[Kind("segment", "offset overflow")] = _overflow
DAMAGES[Kind("segment", "renamed")] = _renamed
DAMAGES[Kind("segment", "old message format")] = _legacy
DAMAGES[Kind("stray", "text file")] = _stray("README", "notes.txt", "x")
DAMAGES[Kind("stray", "deleted, cleaned, tmp")] = _stray(
    f"{77:020d}.log.deleted", f"{88:020d}.index.deleted", f"{99:020d}.log.cleaned", "leader-epoch-checkpoint.tmp"
)
DAMAGES[Kind("stray", "orphan indexes")] = _stray(f"{9999:020d}.index", f"{9999:020d}.timeindex")
DAMAGES[Kind("stray", "snapshot above the end")] = _stray(f"{99999:020d}.snapshot", f"{99998:020d}.snapshot")
DAMAGES[Kind("stray", "snapshot of no segment")] = _stray(f"{3:020d}.snapshot")
DAMAGES[Kind("stray", "name without an offset")] = _stray("some.index")
DAMAGES[Kind("none", "none")] = lambda directory, chance: "nothing"


# -- checkpoint text --


def _epochs(text: bytes) -> Damage:
    def damage(directory: Path, chance: random.Random) -> str | None:
        (directory / "leader-epoch-checkpoint").write_bytes(text)
        return repr(text)

    return damage


DAMAGES[Kind("epochs", "other epochs")] = _epochs(b"0\n3\n0 0\n2 77\n3 90\n")
DAMAGES[Kind("epochs", "future epochs")] = _epochs(b"0\n2\n0 0\n900 5\n")
DAMAGES[Kind("epochs", "beyond the end")] = _epochs(b"0\n2\n0 0\n1 100000\n")
DAMAGES[Kind("epochs", "out of order")] = _epochs(b"0\n3\n3 300\n0 0\n2 200\n")
DAMAGES[Kind("epochs", "version 1")] = _epochs(b"1\n1\n0 0\n")
DAMAGES[Kind("epochs", "wrong count")] = _epochs(b"0\n3\n0 0\n")
DAMAGES[Kind("epochs", "negative")] = _epochs(b"0\n1\n-1 0\n")
