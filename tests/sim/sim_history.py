"""What clients were promised and what they saw, and whether the two agree. An outside ledger: it asks no node.

Letters are those of the invariants: I1 acknowledged is there, at its offset; I2 nothing that nobody sent; I3 one value
per offset, for everybody, for ever; I4 a producer's order, nothing twice; I5 ends never go back; I7 committed offsets
never go back and a partition has one owner in a generation; I8 answered metadata operations hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Key = tuple[str, int]
"""Topic and partition."""


class Violation(Exception):
    """A promise that was not kept."""


class Ledger:
    """One partition."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.sent: set[bytes] = set()
        self.acked: dict[int, bytes] = {}
        self.offset_of: dict[bytes, int] = {}
        self.seen: dict[int, bytes] = {}
        self.repeated: set[str] = set()
        """Producers that may repeat themselves: they are not idempotent."""
        self.end = 0
        """The furthest end that anybody was told."""
        self.holes = 0

    def fail(self, letter: str, what: str) -> None:
        raise Violation(f"{letter}: {self.key[0]}-{self.key[1]}: {what}")

    def acknowledge(self, base_offset: int, values: Sequence[bytes]) -> None:
        for offset, value in enumerate(values, base_offset):
            for known in (self.acked.get(offset), self.seen.get(offset)):
                if known not in (None, value):
                    self.fail("I3", f"offset {offset} is acknowledged for {value!r} and was {known!r}")
            if self.offset_of.get(value, offset) != offset:
                self.fail("I4", f"{value!r} is acknowledged at {self.offset_of[value]} and at {offset}")
            self.acked[offset] = value
            self.offset_of[value] = offset

    def read(self, offset: int, value: bytes) -> None:
        if value not in self.sent:
            self.fail("I2", f"{value!r} at {offset} was never sent")
        for known in (self.acked.get(offset), self.seen.get(offset)):
            if known not in (None, value):
                self.fail("I3", f"offset {offset} reads {value!r} and was {known!r}")
        self.seen[offset] = value

    def told_end(self, end: int) -> None:
        if end < self.end:
            self.fail("I5", f"the log's end is {end}, it was {self.end}")
        self.end = end

    def lose_what_was_not_synced(self, is_acknowledged_synced: bool) -> None:
        """The power went. What a start has found is shown to readers before it is synced, as with Kafka."""
        if not is_acknowledged_synced:
            self.acked.clear()
            self.offset_of.clear()
        self.seen = dict(self.acked)
        self.end = max(self.acked, default=-1) + 1

    def judge(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """The whole partition as it is at the end."""
        there = dict(rows)
        for offset, value in self.acked.items():
            if there.get(offset) != value:
                self.fail("I1", f"{value!r} was acknowledged at {offset}, where there is {there.get(offset)!r}")
        for offset, value in self.seen.items():
            if there.get(offset) != value:
                self.fail("I3", f"{value!r} was read at {offset}, where there is {there.get(offset)!r}")
        last: dict[str, int] = {}
        before = -1
        for offset, value in rows:
            # A kill while a write is under way behind which the log has rolled leaves offsets that nothing has. They
            # were never acknowledged and never read, or the rules above would tell.
            self.holes += offset != before + 1
            before = offset
            if value not in self.sent:
                self.fail("I2", f"{value!r} at {offset} was never sent")
            producer, _, number = value.decode().rpartition("/")
            if producer not in self.repeated and int(number) <= last.get(producer, -1):
                self.fail("I4", f"{value!r} at {offset} comes behind number {last[producer]} of its producer")
            last[producer] = int(number)


class History:
    """All ledgers of a run."""

    def __init__(self) -> None:
        self.ledgers: dict[Key, Ledger] = {}
        self.counts: Counter[str] = Counter()
        self.era = 0
        """How often all that was not synced has been lost. Answers to what was asked in another era promise nothing."""
        self.is_lossy = False
        """Whether the era that runs may find less than it was told in the one before."""
        self.commits: dict[tuple[str, Key], tuple[int, int]] = {}
        """(group, partition) to the latest generation that committed with success, and its furthest offset."""
        self.owners: dict[tuple[str, int, Key], str] = {}
        self.topics: dict[str, bool] = {}
        """Topics whose creation (True) or deletion (False) was answered, and nothing unanswered since."""
        self.configs: dict[tuple[str, str], str] = {}
        self.unsure: set[object] = set()
        """Topics and settings with a change whose outcome nobody knows: it may still come."""

    def ledger(self, key: Key) -> Ledger:
        if key not in self.ledgers:
            self.ledgers[key] = Ledger(key)
        return self.ledgers[key]

    def power_was_cut(self, *, is_synced: bool) -> None:
        """Everything that was not synced may be gone, and that is as promised. `is_synced`: but no acknowledged one."""
        self.era += 1
        self.is_lossy = self.is_lossy or not is_synced
        for ledger in self.ledgers.values():
            ledger.lose_what_was_not_synced(is_synced)
        if not is_synced:
            self.commits.clear()

    def starts_again(self, group: str, key: Key) -> None:
        """What a group had read is gone: it begins anew."""
        self.commits.pop((group, key), None)

    def committed(self, group: str, generation: int, offsets: Mapping[Key, int]) -> None:
        """A commit was answered. One of a generation that is over says nothing about what comes after it."""
        for key, offset in offsets.items():
            self.commits[group, key] = max(self.commits.get((group, key), (0, 0)), (generation, offset))

    def commit_of(self, group: str, key: Key) -> int:
        """What whoever asks from now on must find at least."""
        return self.commits.get((group, key), (0, 0))[1]

    def fetched_commit(self, group: str, key: Key, offset: int, at_least: int) -> None:
        if offset < at_least:
            raise Violation(f"I7: {group} had committed {at_least} of {key[0]}-{key[1]}, and finds {offset}")

    def assigned(self, group: str, generation: int, member: str, keys: Iterable[Key]) -> None:
        for key in keys:
            owner = self.owners.setdefault((group, self.era, key), f"{generation} {member}")
            known, _, name = owner.partition(" ")
            if int(known) > generation:
                continue  # news of an older generation
            if int(known) == generation and name != member:
                raise Violation(f"I7: {key} has two owners in generation {generation} of {group}: {name}, {member}")
            self.owners[group, self.era, key] = f"{generation} {member}"
