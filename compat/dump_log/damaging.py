"""Damages copies of files, by seed: a few bytes, a cut, zeros, rubbish at the end, for every kind of file."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from klamm.log.disk import ReadOnlyDisk
from klamm.log.dump import data_files

KINDS = (
    data_files.LOG,
    data_files.OFFSET_INDEX,
    data_files.TIME_INDEX,
    data_files.TXN_INDEX,
    data_files.PRODUCER_SNAPSHOT,
    data_files.METADATA_SNAPSHOT,
)


def damaged_copy(directory: Path, target: Path, seed: int) -> str:
    """A copy of a partition (or the metadata log) with one file damaged; what was done, in words."""
    chance = random.Random(seed)
    found = [
        file
        for file in data_files.find_files(ReadOnlyDisk(), str(directory))
        if file.offset >= 0 and not file.pending and 0 < Path(file.path).stat().st_size < 1 << 20
    ]
    kinds = [kind for kind in KINDS if any(file.kind == kind for file in found)]
    files = [file for file in found if file.kind == kinds[seed % len(kinds)]]
    file = Path(chance.choice(files).path)
    copied = target / file.parent.name
    shutil.copytree(file.parent, copied)
    return f"seed {seed}: {damage(copied / file.name, chance)} of {file.parent.name}/{file.name}"


def damage(path: Path, chance: random.Random) -> str:
    """Change the file's bytes somehow; what was done, in words."""
    data = bytearray(path.read_bytes())
    how = chance.choice(("flip", "flip", "cut", "append", "zero", "overwrite"))
    at = chance.randrange(len(data))
    if how == "flip":
        data[at] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del data[at:]
    elif how == "append":
        data += chance.randbytes(chance.randrange(1, 200))
    elif how == "zero":
        size = min(len(data) - at, chance.randrange(1, 100))
        data[at : at + size] = bytes(size)
    else:
        size = min(len(data) - at, chance.randrange(1, 30))
        data[at : at + size] = chance.randbytes(size)
    path.write_bytes(data)
    return f"{how} at {at}"
