"""Planted bugs for whole nodes: each breaks one promise, in a test only, and the ledgers must find it.

Where the bug lies in the Raft core or in the log, it is the one that their own simulations plant.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from klamm.log import following
from klamm.log.faulty_disk import FaultyDisk
from klamm.metadata.image.partition import PartitionRegistration
from klamm.metadata.raft import election_state
from klamm.server.partition import Partition
from tests.sim import log_plants, raft_plants

Planting = Callable[[], AbstractContextManager[object]]


def _metadata_is_not_synced() -> AbstractContextManager[object]:
    """What the metadata log tells to be synced is only written."""
    fsync = FaultyDisk.open

    def open_(self: FaultyDisk, path: str, *, create: bool = False) -> object:
        file = fsync(self, path, create=create)
        return _Unsyncable(file) if "__cluster_metadata" in path and path.endswith(".log") else file

    return mock.patch.object(FaultyDisk, "open", open_)


class _Unsyncable:
    """A file whose syncs do nothing."""

    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def fsync(self) -> None:
        pass


def _quorum_state_is_not_synced() -> AbstractContextManager[object]:
    """The file of epochs and votes is written and renamed, and nothing of it synced."""
    usual = FaultyDisk.write_atomic

    def write_atomic(self: FaultyDisk, path: str, data: bytes) -> None:
        if not path.endswith("/" + election_state.FILE):
            usual(self, path, data)
            return
        file = self.open(path + ".tmp", create=True)
        file.truncate(0)
        file.pwrite(data, 0)
        self.rename(path + ".tmp", path)

    return mock.patch.object(FaultyDisk, "write_atomic", write_atomic)


def _acknowledged_before_the_isr_has_it() -> AbstractContextManager[object]:
    """acks=all is answered when the leader has the records."""
    return mock.patch.object(Partition, "when_replicated", lambda self, end_offset, done: done(0))


def _no_epoch_bump() -> AbstractContextManager[object]:
    """Another leader leads in the same epoch."""
    usual = PartitionRegistration.merge

    def merge(self: PartitionRegistration, change: Any) -> PartitionRegistration:
        return usual(self, change)._replace(leader_epoch=self.leader_epoch)

    return mock.patch.object(PartitionRegistration, "merge", merge)


def _truncate_too_little() -> AbstractContextManager[object]:
    """A follower keeps what its new leader does not have."""

    def truncation(log: Any, epoch: int, end_offset: int, fetch_offset: int) -> following.Truncation:
        return following.Truncation(log.log_end_offset, True)

    return mock.patch.object(following, "truncation", truncation)


PLANTS: dict[str, tuple[str, Planting]] = {
    "skip the fsync": ("1", log_plants.skip_the_fsync),
    "answer before the fsync": ("1", log_plants.answer_before_the_fsync),
    "skip the fsync of the metadata": ("1", _metadata_is_not_synced),
    "skip the fsync of quorum-state": ("3", _quorum_state_is_not_synced),
    "acknowledge before the ISR has it": ("3", _acknowledged_before_the_isr_has_it),
    "vote twice": ("3", lambda: raft_plants.planted("vote twice")),
    "no epoch bump": ("3", _no_epoch_bump),
    "apply beyond the high watermark": ("3", lambda: raft_plants.planted("apply beyond the high watermark")),
    "truncate too little": ("3", _truncate_too_little),
    "truncate the metadata too little": ("3", lambda: raft_plants.planted("truncate too little")),
}
"""Bug: the layout in which it shows, and what plants it."""


def planted(name: str) -> AbstractContextManager[object]:
    """The nodes with that bug."""
    return PLANTS[name][1]()


def layout_of(name: str) -> str:
    """The name of the layout in which the bug shows."""
    return PLANTS[name][0]
