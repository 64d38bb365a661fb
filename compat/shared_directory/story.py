"""The stories: brokers take turns on a directory, and each must tell of it what the one before has told.

A turn is a life of one broker. It begins with a reading that must equal the last one of the life before, whoever lived
it and however it ended; then it adds to everything, reads again, and is stopped or killed. After every end
`kafka-dump-log` must find every file valid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from compat.java.tools import Tools
from compat.shared_directory.asking import Asking
from compat.shared_directory.brokers import Place, Running
from compat.shared_directory.maker import GROUPS, Maker
from compat.shared_directory.reading import Reading, differences, read_all
from compat.shared_directory.validity import check

COMPACTED = ("compacted", "both")
_ENDING = {"transaction_abort_timed_out_transaction_cleanup_interval_ms": "6000"}
"""Not sooner: a Kafka that aborts before the partitions have leaders never writes their markers."""


class Turn(NamedTuple):
    """A life to come: of "kafka" or "klamm", killed at its end or not."""

    kind: str
    kill: bool


class Row(NamedTuple):
    """What came of a life. `compared` facts were equal but for `differences`; `faults` are the dump tool's."""

    life: str
    facts: int
    differences: list[str]
    files: int
    batches: int
    faults: list[str]
    seconds: float

    @property
    def is_good(self) -> bool:
        return not self.differences and not self.faults


class Story:
    """One directory, from its making on."""

    def __init__(self, directory: Path, tools: Tools, seed: int, size: int = 1) -> None:
        self.place = Place(directory)
        self.maker = Maker(self.place, seed, size)
        self.rows: list[Row] = []
        self._tools = tools
        self._last: Reading = {}

    def make(self, kind: str, kill: bool, lives: int = 3) -> Row:
        """The first lives, all of one kind."""
        began = time.monotonic()
        broker = self.maker.make(kind, lives)
        return self._end(broker, Turn(kind, kill), [], began, f"{lives} lives of {kind}")

    def turn(self, turn: Turn, *, add: bool = True, end_open: bool = False) -> Row:
        """One life more. `end_open`: in it the open transactions come to their end."""
        began = time.monotonic()
        broker = self.place.start(turn.kind)
        try:
            found = differences(self._last, read_all(self.place.bootstrap, GROUPS))
            if end_open:
                broker.stop()
                broker = self.place.start(turn.kind, **_ENDING)
            asking = Asking(self.place.bootstrap)
            try:
                if end_open:
                    self.maker.end_open(asking)
                if add:
                    self.maker.fill(asking, turn.kind)
                    self.maker.delete(asking)
            finally:
                asking.close()
        except BaseException:
            broker.kill()
            raise
        return self._end(broker, turn, found, began, turn.kind)

    def copies(self, *kinds: str) -> Row:
        """Copies of the directory as it stands, with a broker on each: they tell the same of it, and so do restarts."""
        began = time.monotonic()
        readings: list[Reading] = []
        for n, kind in enumerate(kinds):
            copy = self.place.copy(f"{self.place.directory.name}-copy{n}")
            broker = copy.start(kind)
            try:
                readings.append(read_all(copy.bootstrap, GROUPS))
            finally:
                broker.stop()
            copy.remove()
        found = [f"the life before | {kinds[0]}: {line}" for line in differences(self._last, readings[0])]
        for kind, reading in zip(kinds[1:], readings[1:], strict=True):
            lines = differences(readings[0], reading, over_restart=False)
            found += [f"{kinds[0]} | {kind}: {line}" for line in lines]
        row = Row(f"copies: {', '.join(kinds)}", len(readings[0]), found, 0, 0, [], time.monotonic() - began)
        self.rows.append(row)
        return row

    def _end(self, broker: Running, turn: Turn, found: list[str], began: float, life: str) -> Row:
        try:
            facts, self._last = len(self._last), read_all(self.place.bootstrap, GROUPS)
        except BaseException:
            broker.kill()
            raise
        if turn.kill:
            broker.kill()
        else:
            broker.stop()
        verdict = check(self._tools, self.place.data_dir, COMPACTED)
        life = f"{life}, {'killed' if turn.kill else 'stopped'}"
        took_s = time.monotonic() - began
        row = Row(life, facts, found, verdict.files, verdict.batches, verdict.faults, took_s)
        self.rows.append(row)
        return row

    def logged(self, word: str) -> list[str]:
        """The lines with `word` that brokers have logged."""
        return [
            line for log in self.place.logs() for line in log.read_text(errors="replace").splitlines() if word in line
        ]


def tell(story: Story, first: str, kill: bool, turns: Sequence[Turn], on_row: Callable[[Row], None]) -> bool:
    """A whole story; whether all was equal and valid."""
    on_row(story.make(first, kill))
    on_row(story.copies("kafka", "klamm"))
    for turn in turns:
        on_row(story.turn(turn))
    if first == "kafka":
        on_row(story.turn(Turn("kafka", False), end_open=True))
        on_row(story.turn(Turn("klamm", True)))
    on_row(story.copies("kafka", "klamm"))
    return all(row.is_good for row in story.rows)
