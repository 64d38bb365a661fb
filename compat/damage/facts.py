"""What stands in a partition's directory after a stop, as plain values that can be compared.

A file that is missing says the same as one without entries; what waits for its delete is gone.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from klamm.kproto import records
from klamm.kproto.records import HEADER, HEADER_SIZE, LOG_OVERHEAD
from klamm.log import producer_snapshot
from klamm.log.checkpoint import MalformedCheckpoint
from klamm.log.epoch_checkpoint import FILE, LeaderEpochs

Facts = dict[str, Any]

_SUFFIXES = (".log", ".index", ".timeindex", ".txnindex", ".snapshot")
_TXN = struct.Struct(">hqqqq")


def _rows(form: str, data: bytes) -> list[tuple[int, ...]]:
    """The entries; those of zeros at the end, which may be a million, as one (-1, -their number)."""
    size = struct.calcsize(form)
    count = len(data) // size
    used = -(-len(data[: count * size].rstrip(b"\0")) // size)
    rows = list(struct.iter_unpack(form, data[: used * size]))
    return [*rows, (-1, used - count)] if used < count else rows


def file_facts(directory: Path) -> Facts:
    """Segments and their indexes by base offset, producers by the offset of their snapshot, epochs."""
    facts: Facts = {"log": {}, "index": {}, "timeindex": {}, "txnindex": {}, "snapshots": {}}
    for path in sorted(directory.iterdir()):
        stem = path.name.partition(".")[0]
        if not stem.isdigit() or len(stem) != 20 or path.suffix not in _SUFFIXES:
            continue
        data, offset = path.read_bytes(), int(stem)
        if path.suffix == ".log":
            facts["log"][offset] = data
        elif path.suffix == ".index" and data:
            facts["index"][offset] = _rows(">ii", data)
        elif path.suffix == ".timeindex" and data:
            facts["timeindex"][offset] = _rows(">qi", data)
        elif path.suffix == ".txnindex" and data:
            facts["txnindex"][offset] = [_TXN.unpack_from(data, at)[1:] for at in range(0, len(data) - 33, 34)]
        elif path.suffix == ".snapshot" and (producers := _producers(data)):
            facts["snapshots"][offset] = producers
    try:
        facts["epochs"] = LeaderEpochs.decode((directory / FILE).read_bytes()).entries()
    except FileNotFoundError:
        facts["epochs"] = []
    except MalformedCheckpoint:
        facts["epochs"] = "malformed"
    return facts


def _producers(data: bytes) -> Any:
    try:
        entries = producer_snapshot.decode(data)
    except producer_snapshot.CorruptSnapshot:
        return "corrupt"
    return {entry.producer_id: producer_snapshot.row(entry)[1:] for entry in entries}


def sound_batches(data: bytes) -> dict[int, bytes]:
    """Base offset to bytes of the batches of version 2 whose CRC is right, as a consumer would find them."""
    found = {}
    at = 0
    while len(data) - at >= HEADER_SIZE:
        header = HEADER.unpack_from(data, at)
        size = header[1] + LOG_OVERHEAD
        if size < HEADER_SIZE or size > len(data) - at:
            break
        if header[3] == records.MAGIC and records.crc32c(data[at + records.ATTRIBUTES_AT : at + size]) == header[4]:
            found[header[0]] = data[at : at + size]
        at += size
    return found
