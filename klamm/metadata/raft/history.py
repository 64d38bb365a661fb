"""The voter sets and levels of kraft.version along the log: the last counts once it is appended, committed or not.

What is truncated is forgotten, so that the one before counts again (KIP-853).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from klamm.kproto import records
from klamm.kproto.control_records import KRaftVersionRecord, VotersRecord
from klamm.kproto.schema import Message
from klamm.metadata.raft.voters import ReplicaKey, VoterSet

T = TypeVar("T")

Control = tuple[int, int, Message]
"""A control record that tells voters or kraft.version: offset, type id, body."""
BOOTSTRAP_OFFSET = -1
"""Where the voters of the 0-0 checkpoint stand: before the log."""


class QuorumHistory:
    """`static_voters` are those of `controller.quorum.voters`, in force while the log tells none."""

    def __init__(self, static_voters: VoterSet | None = None) -> None:
        self.static_voters = VoterSet(()) if static_voters is None else static_voters
        self._voters: list[tuple[int, VoterSet]] = []
        self._versions: list[tuple[int, int]] = []

    @property
    def voters(self) -> VoterSet:
        return self._voters[-1][1] if self._voters else self.static_voters

    @property
    def voters_offset(self) -> int | None:
        """Where the voters in force were written; None for static ones."""
        return self._voters[-1][0] if self._voters else None

    @property
    def kraft_version(self) -> int:
        return self._versions[-1][1] if self._versions else 0

    def was_voter(self, key: ReplicaKey, high_watermark: int) -> bool:
        """Whether `key` voted until the last change, which is not known to be committed."""
        if len(self._voters) < 2 or self._voters[-1][0] < high_watermark:
            return False
        return self._voters[-2][1].is_voter(key)

    def add_voters(self, offset: int, voters: VoterSet) -> None:
        self._voters.append((offset, voters))

    def add_version(self, offset: int, kraft_version: int) -> None:
        self._versions.append((offset, kraft_version))

    def add(self, control: Iterable[Control]) -> bool:
        """Take control records in, (offset, type id, body); whether the voters or the version changed."""
        changed = False
        for offset, type_id, body in control:
            if type_id == records.CONTROL_KRAFT_VOTERS and isinstance(body, VotersRecord):
                self.add_voters(offset, VoterSet.from_record(body))
                changed = True
            elif type_id == records.CONTROL_KRAFT_VERSION and isinstance(body, KRaftVersionRecord):
                self.add_version(offset, body.k_raft_version)
                changed = True
        return changed

    def at(self, end_offset: int) -> tuple[int, VoterSet | None]:
        """kraft.version and voters as a snapshot that ends at `end_offset` must have them; None without any."""
        version = next((value for offset, value in reversed(self._versions) if offset < end_offset), 0)
        return version, next((value for offset, value in reversed(self._voters) if offset < end_offset), None)

    def truncate(self, end_offset: int) -> None:
        """Forget what stood at `end_offset` and behind."""
        self._voters = [entry for entry in self._voters if entry[0] < end_offset]
        self._versions = [entry for entry in self._versions if entry[0] < end_offset]

    def load(self, offset: int, kraft_version: int, voters: VoterSet | None) -> None:
        """Begin anew with what a snapshot tells, `offset` being the last record in it."""
        self._voters = [] if voters is None else [(offset, voters)]
        self._versions = [(offset, kraft_version)] if kraft_version else []

    def forget_before(self, start_offset: int) -> None:
        """Keep of what stands before `start_offset` only the last."""
        self._voters = _from(self._voters, start_offset)
        self._versions = _from(self._versions, start_offset)


def _from(entries: list[tuple[int, T]], start_offset: int) -> list[tuple[int, T]]:
    older = sum(offset < start_offset for offset, _ in entries)
    return entries[max(older - 1, 0) :]


def quorum_records(batch: records.Batch) -> list[Control]:
    """The control records of a control batch that the quorum must know. Raises ProtocolError."""
    found: list[Control] = []
    for record in records.iter_records(batch):
        kind = records.control_type(record.key)
        if kind == records.CONTROL_KRAFT_VERSION:
            found.append((record.offset, kind, KRaftVersionRecord.decode(record.value or b"", 0)))
        elif kind == records.CONTROL_KRAFT_VOTERS:
            found.append((record.offset, kind, VotersRecord.decode(record.value or b"", 0)))
    return found
