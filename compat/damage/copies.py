"""The damaged copies of a run: which template, which damage, where the checkpoints point. All by the seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from compat.damage.damages import DAMAGES, Kind
from compat.damage.template import Template, templates

_TRIES = 50


class Copy(NamedTuple):
    """One partition directory to recover. `note` says what was done to it."""

    number: int
    template: Template
    kinds: tuple[Kind, ...]
    note: str
    recovery_point: int
    log_start: int

    @property
    def is_clean(self) -> bool:
        return self.template.is_clean

    @property
    def label(self) -> str:
        kinds = " and ".join(f"{kind.file}, {kind.damage}" for kind in self.kinds)
        state = "clean" if self.is_clean else f"recovery point {self.recovery_point}"
        return f"copy {self.number} ({self.template.name}, {state}, start {self.log_start}): {kinds}: {self.note}"

    def undamaged(self) -> Copy:
        return self._replace(kinds=(Kind("none", "none"),), note="nothing")


def make_copies(place: Path, numbers: Iterable[int], seed: int) -> list[Copy]:
    """Damaged directories `place/<number>`; a number is the same copy in every run of that seed."""
    kinds = list(DAMAGES)
    random.Random(f"damage {seed}").shuffle(kinds)
    return [_make(place / str(number), number, kinds[number % len(kinds)], seed) for number in numbers]


def _make(directory: Path, number: int, kind: Kind, seed: int) -> Copy:
    chance = random.Random(f"damage {seed} {number}")
    for _ in range(_TRIES):
        template = chance.choice(templates())
        copy_sparse(template.directory, directory)
        note = DAMAGES[kind](directory, chance)
        if note is not None:
            break
    else:
        raise RuntimeError(f"no template has anything for {kind}")
    kinds = [kind]
    if chance.random() < 0.12 and kind.file != "none":
        second = chance.choice(list(DAMAGES))
        try:
            more = DAMAGES[second](directory, chance)
        except (OSError, IndexError, ValueError):  # the first damage has left nothing for it
            more = None
        if more is not None:
            kinds.append(second)
            note = f"{note}; {more}"
    bases = sorted(int(path.stem) for path in template.directory.glob("*.log"))
    end = max(int(path.stem) for path in templates_end(template))
    recovery_point = end if template.is_clean else chance.choice((0, chance.choice(bases), bases[-1], end - 3))
    log_start = template.log_start
    if chance.random() < 0.05:
        log_start = chance.choice((end + 100, chance.randrange(bases[0], end)))
    return Copy(number, template, tuple(kinds), note, recovery_point, log_start)


def templates_end(template: Template) -> list[Path]:
    """Snapshots of the clean twin: the newest stands at the log's end."""
    twin = template.directory.with_name(template.directory.name.replace("killed", "clean"))
    return list(twin.glob("*.snapshot"))


def copy_sparse(source: Path, target: Path) -> None:
    """A copy of a directory in which preallocated space stays a hole."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in source.iterdir():
        size = path.stat().st_size
        data = path.read_bytes()
        used = data.rstrip(b"\0") if size > 1 << 20 else data
        with open(target / path.name, "wb") as file:
            file.write(used)
            file.truncate(size)
